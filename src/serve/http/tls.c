/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/tls.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <string.h>

enum { CHAIN_MAX = 8, FILE_SIZE_MAX = 1 << 20, KEY_ID_SIZE = 64 };

typedef struct material material;
struct material {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned chain_count;
    gnutls_privkey_t key;
    int64_t expires_s, replaced_ns;
    material *next; /* of those that were replaced */
};

struct tcsi_tls {
    char *certificate_path, *key_path;
    material *_Atomic current;
    material *replaced;
};

static tcsi_tls *_Atomic of_process; /* what the callback, which is handed nothing of ours, finds */

/* ---- material ---- */

static void destroy_material(material *m)
{
    if (!m) return;
    for (unsigned i = 0; i < m->chain_count; i++) gnutls_pcert_deinit(&m->chain[i]);
    if (m->key) gnutls_privkey_deinit(m->key);
    tcsi_free(m);
}

static tcs_status failed(const char *path, int code, const char *expected, tcs_error *err)
{
    return tcsi_fail(err, TCS_E_FORMAT, "%s: %s; expected %s in PEM", path, gnutls_strerror(code), expected);
}

static tcs_status read_chain(material *m, const char *path, tcs_error *err)
{
    tcsi_buffer text;
    gnutls_x509_crt_t first;
    tcsi_buffer_init(&text, FILE_SIZE_MAX);
    tcs_status status = tcsi_file_read(path, &text, err);
    if (status == TCS_OK) {
        gnutls_datum_t datum = { (unsigned char *)text.data, (unsigned)text.size };
        unsigned count = CHAIN_MAX;
        int code = GNUTLS_E_NO_CERTIFICATE_FOUND;
        if (text.size) code = gnutls_pcert_list_import_x509_raw(m->chain, &count, &datum, GNUTLS_X509_FMT_PEM, 0);
        if (code < 0) status = failed(path, code, "a certificate, followed by those of its issuers", err);
        else m->chain_count = count;
        if (status == TCS_OK && gnutls_x509_crt_init(&first) == 0) {
            if (gnutls_x509_crt_import(first, &datum, GNUTLS_X509_FMT_PEM) == 0)
                m->expires_s = (int64_t)gnutls_x509_crt_get_expiration_time(first);
            gnutls_x509_crt_deinit(first);
        }
    }
    tcsi_buffer_deinit(&text);
    return status;
}

static tcs_status read_key(material *m, const char *path, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_buffer_init(&text, FILE_SIZE_MAX);
    tcs_status status = tcsi_file_read(path, &text, err);
    if (status == TCS_OK) {
        gnutls_datum_t datum = { (unsigned char *)text.data, (unsigned)text.size };
        int code = gnutls_privkey_init(&m->key);
        if (code == 0 && text.size == 0) code = GNUTLS_E_BASE64_DECODING_ERROR;
        if (code == 0) code = gnutls_privkey_import_x509_raw(m->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
        if (code < 0) status = failed(path, code, "a private key without a password", err);
        if (text.data) tcsi_secret_wipe(text.data, text.size);
    }
    tcsi_buffer_deinit(&text);
    return status;
}

static bool is_key_of_chain(const material *m)
{
    unsigned char ids[2][KEY_ID_SIZE];
    size_t sizes[2] = { KEY_ID_SIZE, KEY_ID_SIZE };
    gnutls_pubkey_t public_key;
    if (gnutls_pubkey_init(&public_key) != 0) return false;
    bool same = gnutls_pubkey_import_privkey(public_key, m->key, 0, 0) == 0 &&
                gnutls_pubkey_get_key_id(public_key, 0, ids[0], &sizes[0]) == 0 &&
                gnutls_pubkey_get_key_id(m->chain[0].pubkey, 0, ids[1], &sizes[1]) == 0 && sizes[0] == sizes[1] &&
                memcmp(ids[0], ids[1], sizes[0]) == 0;
    gnutls_pubkey_deinit(public_key);
    return same;
}

static tcs_status read_material(const tcsi_tls *tls, material **ret_material, tcs_error *err)
{
    material *m = TCSI_NEW(material);
    if (!m) return tcsi_fail_memory(err, "a certificate");
    tcs_status status = read_chain(m, tls->certificate_path, err);
    if (status == TCS_OK) status = read_key(m, tls->key_path, err);
    if (status == TCS_OK && !is_key_of_chain(m))
        status = tcsi_fail(err, TCS_E_FORMAT, "%s is not the key of the certificate in %s", tls->key_path, tls->certificate_path);
    if (status == TCS_OK) *ret_material = m;
    else destroy_material(m);
    return status;
}

/* ---- life ---- */

tcs_status tcsi_tls_create(const char *certificate_path, const char *key_path, tcsi_tls **ret_tls, tcs_error *err)
{
    material *m = NULL;
    tcsi_tls *none = NULL, *tls = TCSI_NEW(tcsi_tls);
    if (!tls) return tcsi_fail_memory(err, "TLS");
    tls->certificate_path = tcsi_strdup(certificate_path);
    tls->key_path = tcsi_strdup(key_path);
    tcs_status status = tls->certificate_path && tls->key_path ? read_material(tls, &m, err) : tcsi_fail_memory(err, "TLS");
    atomic_store(&tls->current, m);
    if (status == TCS_OK && !atomic_compare_exchange_strong(&of_process, &none, tls))
        status = tcsi_fail(err, TCS_E_UNSUPPORTED, "this process has a server with TLS already");
    if (status == TCS_OK) *ret_tls = tls;
    else tcsi_tls_destroy(tls);
    return status;
}

static void release_replaced(tcsi_tls *tls, int64_t before_ns)
{
    for (material **at = &tls->replaced; *at;) {
        material *m = *at;
        if (m->replaced_ns < before_ns) {
            *at = m->next;
            destroy_material(m);
        } else {
            at = &m->next;
        }
    }
}

void tcsi_tls_destroy(tcsi_tls *tls)
{
    if (!tls) return;
    tcsi_tls *own = tls;
    atomic_compare_exchange_strong(&of_process, &own, NULL);
    release_replaced(tls, INT64_MAX);
    destroy_material(atomic_load(&tls->current));
    tcsi_free(tls->certificate_path);
    tcsi_free(tls->key_path);
    tcsi_free(tls);
}

tcs_status tcsi_tls_reload(tcsi_tls *tls, tcs_error *err)
{
    material *made;
    tcs_status status = read_material(tls, &made, err);
    if (status != TCS_OK) return status;
    const int64_t now_ns = tcsi_clock_monotonic_ns();
    material *old = atomic_exchange(&tls->current, made);
    old->replaced_ns = now_ns;
    old->next = tls->replaced;
    tls->replaced = old;
    release_replaced(tls, now_ns - TCSI_TLS_KEEP_NS);
    return TCS_OK;
}

int64_t tcsi_tls_expires_s(tcsi_tls *tls)
{
    return atomic_load(&tls->current)->expires_s;
}

/* ---- handshakes ---- */

static int retrieve(gnutls_session_t session, const gnutls_datum_t *issuers, int issuer_count, const gnutls_pk_algorithm_t *algorithms,
                    int algorithm_count, gnutls_pcert_st **ret_chain, unsigned int *ret_count, gnutls_privkey_t *ret_key)
{
    (void)session, (void)issuers, (void)issuer_count, (void)algorithms, (void)algorithm_count;
    tcsi_tls *tls = atomic_load(&of_process);
    if (!tls) return -1;
    material *m = atomic_load(&tls->current);
    *ret_chain = m->chain;
    *ret_count = m->chain_count;
    *ret_key = m->key;
    return 0;
}

void *tcsi_tls_callback(void)
{
    gnutls_certificate_retrieve_function2 *function = retrieve;
    void *address;
    memcpy(&address, &function, sizeof address); /* C has no conversion; POSIX lets both be the same bits */
    return address;
}
