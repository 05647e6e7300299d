/* base/hash_test.c -- SHA-256 against FIPS 180-4's examples, HMAC against RFC 4231's.  SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "test.h"

static const char *hex_of(const void *bytes, size_t size)
{
    static char text[TCSI_HASH_TEXT_SIZE];
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_hash_bytes(bytes, size, digest);
    tcsi_hash_text(digest, text);
    return text;
}

static void test_sha256_matches_the_standard(void **state)
{
    (void)state;
    static char million[1000000];
    memset(million, 'a', sizeof million);
    assert_string_equal(hex_of("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(hex_of("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
                        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_string_equal(hex_of(million, sizeof million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Every length around the padding's edges, in pieces of every size, gives what one call gives. */
static void test_pieces_give_the_same_as_the_whole(void **state)
{
    (void)state;
    unsigned char bytes[200], whole[TCSI_HASH_SIZE], pieces[TCSI_HASH_SIZE];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 7 + 1);
    for (size_t size = 0; size <= sizeof bytes; size++)
        for (size_t step = 1; step <= 70; step += 3) {
            tcsi_hash hash;
            tcsi_hash_init(&hash);
            for (size_t at = 0; at < size; at += step) tcsi_hash_update(&hash, bytes + at, size - at < step ? size - at : step);
            tcsi_hash_end(&hash, pieces);
            tcsi_hash_bytes(bytes, size, whole);
            assert_memory_equal(whole, pieces, sizeof whole);
        }
}

static void test_hmac_matches_rfc_4231(void **state)
{
    (void)state;
    unsigned char key[131], digest[TCSI_HASH_SIZE];
    char text[TCSI_HASH_TEXT_SIZE];
    tcsi_hash_hmac("Jefe", 4, "what do ya want for nothing?", 28, digest);
    tcsi_hash_text(digest, text);
    assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key); /* longer than a block: hashed first */
    tcsi_hash_hmac(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First", 54, digest);
    tcsi_hash_text(digest, text);
    assert_string_equal(text, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_equal_sees_every_byte(void **state)
{
    (void)state;
    unsigned char a[40] = { 0 }, b[40] = { 0 };
    assert_true(tcsi_hash_equal(a, b, 0) && tcsi_hash_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        assert_false(tcsi_hash_equal(a, b, sizeof a));
        b[i] ^= 0x80;
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_sha256_matches_the_standard), cmocka_unit_test(test_pieces_give_the_same_as_the_whole),
              cmocka_unit_test(test_hmac_matches_rfc_4231), cmocka_unit_test(test_equal_sees_every_byte))
