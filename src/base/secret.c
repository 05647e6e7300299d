/* base/secret.c -- the only file that sees sodium.h.
 *
 * Nothing here is our own: each function is one call of libsodium's with its sizes checked against ours.  sodium_init may
 * be called as often and by as many threads as one likes; only the first call does anything, so that no room needs to
 * remember to.  Argon2id takes its 64 MiB from the system, not by base/alloc.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

_Static_assert(crypto_pwhash_STRBYTES == TCSI_SECRET_PASSWORD_TEXT_SIZE, "of crypto_pwhash_str");
_Static_assert(crypto_sign_PUBLICKEYBYTES == TCSI_SECRET_PUBLIC_KEY_SIZE, "of crypto_sign");
_Static_assert(crypto_sign_SECRETKEYBYTES == TCSI_SECRET_KEY_SIZE, "of crypto_sign");
_Static_assert(crypto_sign_BYTES == TCSI_SECRET_SIGNATURE_SIZE, "of crypto_sign");

bool tcsi_secret_is_available(void)
{
    return sodium_init() >= 0;
}

static tcs_status ready(tcs_error *err)
{
    return tcsi_secret_is_available() ? TCS_OK : tcsi_fail(err, TCS_E_IO, "the system's source of randomness cannot be opened");
}

tcs_status tcsi_secret_random(void *ret_bytes, size_t size, tcs_error *err)
{
    tcs_status status = ready(err);
    if (status == TCS_OK) randombytes_buf(ret_bytes, size);
    return status;
}

tcs_status tcsi_secret_hash(const void *key, size_t key_size, const void *bytes, size_t size,
                            unsigned char ret_hash[TCSI_SECRET_HASH_SIZE], tcs_error *err)
{
    tcs_status status = ready(err);
    if (status != TCS_OK) return status;
    if (key_size > 0 && (key_size < crypto_generichash_KEYBYTES_MIN || key_size > crypto_generichash_KEYBYTES_MAX))
        return tcsi_fail(err, TCS_E_INVALID, "a key of BLAKE2b has 16 to 64 bytes, not %zu", key_size);
    (void)crypto_generichash(ret_hash, TCSI_SECRET_HASH_SIZE, bytes, size, key_size > 0 ? key : NULL, key_size);
    return TCS_OK;
}

tcs_status tcsi_secret_password_hash(const char *password, size_t size, char ret_text[TCSI_SECRET_PASSWORD_TEXT_SIZE], tcs_error *err)
{
    tcs_status status = ready(err);
    if (status != TCS_OK) return status;
    if (size > crypto_pwhash_PASSWD_MAX) return tcsi_fail(err, TCS_E_INVALID, "a password of %zu bytes is too long", size);
    if (crypto_pwhash_str(ret_text, password, size, crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return tcsi_fail_memory(err, "hashing a password");
    return TCS_OK;
}

tcs_status tcsi_secret_password_verify(const char *text, const char *password, size_t size, bool *ret_matches, tcs_error *err)
{
    tcs_status status = ready(err);
    if (status != TCS_OK) return status;
    size_t length = strnlen(text, TCSI_SECRET_PASSWORD_TEXT_SIZE);
    if (length == TCSI_SECRET_PASSWORD_TEXT_SIZE || strncmp(text, "$argon2id$", 10) != 0)
        return tcsi_fail(err, TCS_E_INVALID, "what was to be a password's hash is none; expected $argon2id$...");
    char whole[TCSI_SECRET_PASSWORD_TEXT_SIZE] = { 0 }; /* libsodium may look at all of it */
    memcpy(whole, text, length);
    errno = 0;
    bool matches = crypto_pwhash_str_verify(whole, password, size) == 0;
    if (!matches && errno == ENOMEM) return tcsi_fail_memory(err, "verifying a password");
    *ret_matches = matches;
    return TCS_OK;
}

tcs_status tcsi_secret_key_create(unsigned char ret_public[TCSI_SECRET_PUBLIC_KEY_SIZE], unsigned char ret_key[TCSI_SECRET_KEY_SIZE],
                                  tcs_error *err)
{
    tcs_status status = ready(err);
    if (status == TCS_OK) (void)crypto_sign_keypair(ret_public, ret_key);
    return status;
}

tcs_status tcsi_secret_sign(const unsigned char key[TCSI_SECRET_KEY_SIZE], const void *bytes, size_t size,
                            unsigned char ret_signature[TCSI_SECRET_SIGNATURE_SIZE], tcs_error *err)
{
    tcs_status status = ready(err);
    if (status == TCS_OK) (void)crypto_sign_detached(ret_signature, NULL, bytes, size, key);
    return status;
}

bool tcsi_secret_verify(const unsigned char public_key[TCSI_SECRET_PUBLIC_KEY_SIZE], const void *bytes, size_t size,
                        const unsigned char signature[TCSI_SECRET_SIGNATURE_SIZE])
{
    return tcsi_secret_is_available() && crypto_sign_verify_detached(signature, bytes, size, public_key) == 0;
}

void tcsi_secret_wipe(void *bytes, size_t size)
{
    sodium_memzero(bytes, size);
}
