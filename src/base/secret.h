/* base/secret.h -- what needs a library of cryptographers: randomness, passwords, signatures (libsodium).
 * Builds without it have a stub: every function then returns E_UNSUPPORTED, tcsi_secret_verify false.
 * SHA-256, HMAC and the comparison in constant time need no library: base/hash.h.
 * Threads: everything here is reentrant. */
#ifndef TCS_BASE_SECRET_H
#define TCS_BASE_SECRET_H

#include "base/status.h"

enum {
    TCSI_SECRET_HASH_SIZE = 32,
    TCSI_SECRET_PASSWORD_TEXT_SIZE = 128, /* of a hash as text, "$argon2id$v=19$m=...", with its 0 */
    TCSI_SECRET_PUBLIC_KEY_SIZE = 32,
    TCSI_SECRET_KEY_SIZE = 64,
    TCSI_SECRET_SIGNATURE_SIZE = 64,
};

bool tcsi_secret_is_available(void);

/* From the system's generator: for tokens, keys and salts.  base/rng.h is for everything that must repeat. */
tcs_status tcsi_secret_random(void *ret_bytes, size_t size, tcs_error *err) TCS_WARN_UNUSED;

/* BLAKE2b with 32 bytes of output; key_size 0 (no key) or 16 to 64. */
tcs_status tcsi_secret_hash(const void *key, size_t key_size, const void *bytes, size_t size,
                            unsigned char ret_hash[TCSI_SECRET_HASH_SIZE], tcs_error *err) TCS_WARN_UNUSED;

/* Argon2id with a salt of its own, 64 MiB and two passes: a tenth of a second, on purpose; E_MEMORY when those 64 MiB are not to be had.
 * Do not call it on a thread that serves rows, and keep what was found: a service verifies a token once, not with each request. */
tcs_status tcsi_secret_password_hash(const char *password, size_t size, char ret_text[TCSI_SECRET_PASSWORD_TEXT_SIZE],
                                     tcs_error *err) TCS_WARN_UNUSED;
/* *ret_matches: is it the password that text was made from?  E_INVALID: text is no such hash; E_MEMORY as above: neither yes nor no. */
tcs_status tcsi_secret_password_verify(const char *text, const char *password, size_t size, bool *ret_matches,
                                       tcs_error *err) TCS_WARN_UNUSED;

/* Ed25519 (RFC 8032), signatures apart from what is signed. */
tcs_status tcsi_secret_key_create(unsigned char ret_public[TCSI_SECRET_PUBLIC_KEY_SIZE], unsigned char ret_key[TCSI_SECRET_KEY_SIZE],
                                  tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_secret_sign(const unsigned char key[TCSI_SECRET_KEY_SIZE], const void *bytes, size_t size,
                            unsigned char ret_signature[TCSI_SECRET_SIGNATURE_SIZE], tcs_error *err) TCS_WARN_UNUSED;
bool tcsi_secret_verify(const unsigned char public_key[TCSI_SECRET_PUBLIC_KEY_SIZE], const void *bytes, size_t size,
                        const unsigned char signature[TCSI_SECRET_SIGNATURE_SIZE]);

/* Overwrites a secret that is no longer needed; no compiler leaves it out. */
void tcsi_secret_wipe(void *bytes, size_t size);

#endif
