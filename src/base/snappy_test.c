/* base/snappy_test.c -- there and back, truncated, damaged, and blocks that claim more than they may.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "base/snappy.h"
#include "tocsin_config.h"

#if !TCSI_HAVE_SNAPPY
static void test_says_that_it_is_not_there(void **state)
{
    (void)state;
    size_t size;
    tcs_error err;
    assert_int_equal(tcsi_snappy_size("\3", 1, 10, &size, &err), TCS_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "built without"));
}

TCS_TEST_MAIN(cmocka_unit_test(test_says_that_it_is_not_there))
#else

static void test_there_and_back(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    for (size_t size = 0; size < 100000; size = size * 3 + 1) {
        unsigned char *text = malloc(size + 1), *back = malloc(size + 1), *block = malloc(tcsi_snappy_size_max(size));
        size_t block_size, stated;
        for (size_t i = 0; i < size; i++) text[i] = (unsigned char)(i % 50 ? text[i - 1] : tcsi_rng_u32(&rng));
        assert_ok(tcsi_snappy_encode(text, size, block, &block_size, test_err));
        assert_ok(tcsi_snappy_size(block, block_size, size, &stated, test_err));
        assert_int_equal(stated, size);
        assert_ok(tcsi_snappy_decode(block, block_size, back, size, test_err));
        assert_memory_equal(text, back, size);
        for (size_t cut = 0; cut < block_size && size < 5000; cut++) { /* each truncation is an error, exactly as long as it is */
            unsigned char *part = malloc(cut ? cut : 1);
            memcpy(part, block, cut);
            tcs_status status = tcsi_snappy_size(part, cut, size, &stated, NULL);
            if (status == TCS_OK && stated == size) status = tcsi_snappy_decode(part, cut, back, size, NULL);
            assert_int_not_equal(status, TCS_OK);
            free(part);
        }
        free(text);
        free(back);
        free(block);
    }
}

static void test_claims(void **state)
{
    (void)state;
    tcs_error err;
    size_t size = 77;
    /* 4 GiB less one from five bytes */
    assert_int_equal(tcsi_snappy_size("\xff\xff\xff\xff\x0f", 5, 1 << 20, &size, &err), TCS_E_LIMIT);
    assert_non_null(strstr(err.text, "4294967295"));
    assert_int_equal(tcsi_snappy_size("\xff\xff\xff\xff\xff\xff", 6, 1 << 20, &size, &err), TCS_E_FORMAT);
    assert_int_equal(tcsi_snappy_size("", 0, 1 << 20, &size, &err), TCS_E_FORMAT);
    assert_int_equal(size, 77);
    /* a block that holds less, and one that holds more than it states */
    char out[8];
    assert_int_equal(tcsi_snappy_decode("\x05\x04xy", 4, out, 5, &err), TCS_E_FORMAT);
    assert_int_equal(tcsi_snappy_decode("\x01\x04xy", 4, out, 1, &err), TCS_E_FORMAT);
    /* a copy from before the beginning */
    assert_int_equal(tcsi_snappy_decode("\x08\x01\x09", 3, out, 8, &err), TCS_E_FORMAT);
}

TCS_TEST_MAIN(cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_claims))
#endif
