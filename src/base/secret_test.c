/* base/secret_test.c -- known answers of BLAKE2b and Ed25519, and passwords that match and do not.  SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "test.h"

#define NEEDS_SODIUM                         \
    if (!tcsi_secret_is_available()) skip()

static void from_hex(const char *hex, unsigned char *ret_bytes)
{
    for (size_t i = 0; hex[2 * i]; i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        ret_bytes[i] = (unsigned char)value;
    }
}

static void test_a_build_without_sodium_says_so(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    char text[TCSI_SECRET_PASSWORD_TEXT_SIZE];
    if (tcsi_secret_is_available()) skip();
    assert_int_equal(tcsi_secret_random(text, sizeof text, &err), TCS_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "-Dsodium=enabled"));
    assert_int_equal(tcsi_secret_password_hash("a", 1, text, &err), TCS_E_UNSUPPORTED);
}

static void test_random_bytes_differ(void **state)
{
    (void)state;
    NEEDS_SODIUM;
    tcs_error err = { 0 };
    unsigned char a[32] = { 0 }, b[32] = { 0 };
    assert_ok(tcsi_secret_random(a, sizeof a, &err));
    assert_ok(tcsi_secret_random(b, sizeof b, &err));
    assert_memory_not_equal(a, b, sizeof a);
}

/* RFC 7693's input "abc" with 32 bytes of output, by Python's hashlib.blake2b(digest_size=32); and with a key. */
static void test_blake2b_matches(void **state)
{
    (void)state;
    NEEDS_SODIUM;
    tcs_error err = { 0 };
    unsigned char hash[32], expected[32];
    from_hex("bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319", expected);
    assert_ok(tcsi_secret_hash(NULL, 0, "abc", 3, hash, &err));
    assert_memory_equal(hash, expected, 32);
    from_hex("66b4857d42c644c61fca8c0bcea243e0e75088582c7964bbac6b92c02381d9c7", expected);
    assert_ok(tcsi_secret_hash("0123456789abcdef", 16, "abc", 3, hash, &err));
    assert_memory_equal(hash, expected, 32);
    assert_int_equal(tcsi_secret_hash("short", 5, "abc", 3, hash, &err), TCS_E_INVALID);
}

static void test_passwords(void **state)
{
    (void)state;
    NEEDS_SODIUM;
    tcs_error err = { 0 };
    char text[TCSI_SECRET_PASSWORD_TEXT_SIZE], other[TCSI_SECRET_PASSWORD_TEXT_SIZE];
    bool matches = false;
    assert_ok(tcsi_secret_password_hash("tower bell", 10, text, &err));
    assert_ok(tcsi_secret_password_hash("tower bell", 10, other, &err));
    assert_string_not_equal(text, other); /* a salt each */
    assert_int_equal(strncmp(text, "$argon2id$v=19$m=65536,t=2,p=1$", 31), 0);
    assert_ok(tcsi_secret_password_verify(text, "tower bell", 10, &matches, &err));
    assert_true(matches);
    assert_ok(tcsi_secret_password_verify(text, "tower ball", 10, &matches, &err));
    assert_false(matches);
    assert_int_equal(tcsi_secret_password_verify("tower bell", "tower bell", 10, &matches, &err), TCS_E_INVALID);
    text[strlen(text) - 20] = 0; /* cut off: no match, no crash */
    assert_ok(tcsi_secret_password_verify(text, "tower bell", 10, &matches, &err));
    assert_false(matches);
}

/* RFC 8032, section 7.1, test 3; libsodium's key is the seed followed by the public key. */
static void test_ed25519_matches_rfc_8032(void **state)
{
    (void)state;
    NEEDS_SODIUM;
    tcs_error err = { 0 };
    unsigned char key[64], expected[64], signature[64], message[2] = { 0xaf, 0x82 };
    from_hex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"
             "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", key);
    from_hex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
             "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a", expected);
    assert_ok(tcsi_secret_sign(key, message, 2, signature, &err));
    assert_memory_equal(signature, expected, 64);
    assert_true(tcsi_secret_verify(key + 32, message, 2, signature));
    message[0] ^= 1;
    assert_false(tcsi_secret_verify(key + 32, message, 2, signature));
    unsigned char public_key[32];
    assert_ok(tcsi_secret_key_create(public_key, key, &err));
    assert_ok(tcsi_secret_sign(key, message, 2, signature, &err));
    assert_true(tcsi_secret_verify(public_key, message, 2, signature));
}

static void test_wipe_leaves_nothing(void **state)
{
    (void)state;
    char secret[16] = "hush-hush", zeros[16] = { 0 };
    tcsi_secret_wipe(secret, sizeof secret);
    assert_memory_equal(secret, zeros, sizeof zeros);
}

TCS_TEST_MAIN(cmocka_unit_test(test_a_build_without_sodium_says_so), cmocka_unit_test(test_random_bytes_differ),
              cmocka_unit_test(test_blake2b_matches), cmocka_unit_test(test_passwords), cmocka_unit_test(test_ed25519_matches_rfc_8032),
              cmocka_unit_test(test_wipe_leaves_nothing))
