/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/envelope.h"
#include "serve/models/models.h"

static const tcsi_envelope_note notes[] = { { "format", "a thing" }, { "note", "it \"is\" one" } };

static void write_one(tcsi_buffer *out)
{
    tcsi_buffer_init(out, 1 << 16);
    assert_ok(tcsi_envelope_write(notes, TCS_COUNT(notes), "some state", 10, out, test_err));
}

static void test_what_is_put_in_comes_out(void **state)
{
    (void)state;
    tcsi_buffer file, lineage;
    const void *inside;
    size_t size;
    write_one(&file);
    assert_ok(tcsi_envelope_open(file.data, file.size, "a thing", &inside, &size, test_err));
    assert_int_equal(size, 10);
    assert_memory_equal(inside, "some state", 10);
    tcsi_buffer_init(&lineage, 1 << 16); /* as the registry reads it */
    assert_ok(tcsi_model_lineage(file.data, file.size, &lineage, test_err));
    assert_string_equal(lineage.data, "{\"format\":\"a thing\",\"note\":\"it \\\"is\\\" one\"}");
    tcsi_buffer_deinit(&lineage);
    tcsi_buffer_deinit(&file);
}

static void test_what_is_none_is_refused(void **state)
{
    (void)state;
    tcsi_buffer file;
    const void *inside;
    size_t size;
    tcs_error failure;
    write_one(&file);
    assert_int_equal(tcsi_envelope_open(file.data, file.size, "another", &inside, &size, &failure), TCS_E_FORMAT);
    for (size_t cut = 0; cut < file.size; cut++)
        assert_int_equal(tcsi_envelope_open(file.data, cut, "a thing", &inside, &size, &failure), TCS_E_FORMAT);
    for (size_t i = 0; i < 8; i++) { /* a length that is not the header's */
        file.data[i] ^= 0x40;
        assert_int_equal(tcsi_envelope_open(file.data, file.size, "a thing", &inside, &size, &failure), TCS_E_FORMAT);
        file.data[i] ^= 0x40;
    }
    tcsi_buffer_deinit(&file);
}

TCS_TEST_MAIN(cmocka_unit_test(test_what_is_put_in_comes_out), cmocka_unit_test(test_what_is_none_is_refused))
