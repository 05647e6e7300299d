/* base/secret_stub.c -- stands in for secret.c in builds without libsodium: nothing is promised, nothing is signed, nobody gets in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

static tcs_status refuse(tcs_error *err)
{
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "this build has no passwords, keys or signatures (configure it with -Dsodium=enabled)");
}

bool tcsi_secret_is_available(void)
{
    return false;
}

tcs_status tcsi_secret_random(void *ret_bytes, size_t size, tcs_error *err)
{
    (void)ret_bytes;
    (void)size;
    return refuse(err);
}

tcs_status tcsi_secret_hash(const void *key, size_t key_size, const void *bytes, size_t size,
                            unsigned char ret_hash[TCSI_SECRET_HASH_SIZE], tcs_error *err)
{
    (void)key;
    (void)key_size;
    (void)bytes;
    (void)size;
    (void)ret_hash;
    return refuse(err);
}

tcs_status tcsi_secret_password_hash(const char *password, size_t size, char ret_text[TCSI_SECRET_PASSWORD_TEXT_SIZE], tcs_error *err)
{
    (void)password;
    (void)size;
    (void)ret_text;
    return refuse(err);
}

tcs_status tcsi_secret_password_verify(const char *text, const char *password, size_t size, bool *ret_matches, tcs_error *err)
{
    (void)text;
    (void)password;
    (void)size;
    (void)ret_matches;
    return refuse(err);
}

tcs_status tcsi_secret_key_create(unsigned char ret_public[TCSI_SECRET_PUBLIC_KEY_SIZE], unsigned char ret_key[TCSI_SECRET_KEY_SIZE],
                                  tcs_error *err)
{
    (void)ret_public;
    (void)ret_key;
    return refuse(err);
}

tcs_status tcsi_secret_sign(const unsigned char key[TCSI_SECRET_KEY_SIZE], const void *bytes, size_t size,
                            unsigned char ret_signature[TCSI_SECRET_SIGNATURE_SIZE], tcs_error *err)
{
    (void)key;
    (void)bytes;
    (void)size;
    (void)ret_signature;
    return refuse(err);
}

bool tcsi_secret_verify(const unsigned char public_key[TCSI_SECRET_PUBLIC_KEY_SIZE], const void *bytes, size_t size,
                        const unsigned char signature[TCSI_SECRET_SIGNATURE_SIZE])
{
    (void)public_key;
    (void)bytes;
    (void)size;
    (void)signature;
    return false;
}

void tcsi_secret_wipe(void *bytes, size_t size)
{
    volatile unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) at[i] = 0;
}
