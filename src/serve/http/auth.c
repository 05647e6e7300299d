/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/auth.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "serve/http/limiter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SIZE_MAX = 8 << 20, SET_SIZE = 4, SET_COUNT = 1024, KEY_SIZE = 32 };

typedef struct table {
    tcsi_token *tokens; /* by id */
    size_t count;
} table;

typedef struct known {
    unsigned char digest[TCSI_SECRET_HASH_SIZE];
    int64_t until_ns; /* monotonic; 0: empty */
} known;

struct tcsi_auth {
    pthread_mutex_t lock;        /* of table and cache; held for a search, never for a hash of passwords */
    pthread_mutex_t verify_lock; /* one Argon2id at a time: 64 MiB each */
    table *table;
    known cache[SET_COUNT][SET_SIZE];
    unsigned char key[KEY_SIZE];
    tcsi_limiter *failures;
};

/* ---- making tokens ---- */

static void put_hex(const unsigned char *bytes, size_t size, char *ret_text)
{
    for (size_t i = 0; i < size; i++) snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

tcs_status tcsi_token_create(const char *name, tcsi_role role, int64_t lifetime_s, tcsi_token *ret_token,
                             char ret_text[TCSI_TOKEN_TEXT_SIZE + 1], tcs_error *err)
{
    unsigned char bytes[(TCSI_TOKEN_ID_SIZE + TCSI_TOKEN_SECRET_SIZE) / 2];
    tcsi_token token = { .role = role, .created_s = tcsi_clock_wall_ns() / 1000000000 };
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t length = strlen(name);
    if (length == 0 || length >= sizeof token.name || strspn(name, letters) < length)
        return tcsi_fail(err, TCS_E_INVALID, "a token's name of letters, digits, -, _ and . is expected, at most %d",
                         TCSI_TOKEN_NAME_SIZE - 1);
    if (role <= TCSI_ROLE_NONE || role >= TCSI_ROLE_COUNT)
        return tcsi_fail(err, TCS_E_INVALID, "a token's role is viewer, analyst, operator or admin");
    if (lifetime_s < 0 || lifetime_s > INT64_MAX / 4)
        return tcsi_fail(err, TCS_E_INVALID, "a token's lifetime cannot be %lld s", (long long)lifetime_s);
    tcs_status status = tcsi_secret_random(bytes, sizeof bytes, err);
    if (status != TCS_OK) return status;
    memcpy(token.name, name, length + 1);
    token.expires_s = lifetime_s ? token.created_s + lifetime_s : 0;
    put_hex(bytes, TCSI_TOKEN_ID_SIZE / 2, token.id);
    memcpy(ret_text, "tcs_", 4);
    memcpy(ret_text + 4, token.id, TCSI_TOKEN_ID_SIZE);
    ret_text[4 + TCSI_TOKEN_ID_SIZE] = '_';
    put_hex(bytes + TCSI_TOKEN_ID_SIZE / 2, TCSI_TOKEN_SECRET_SIZE / 2, ret_text + 5 + TCSI_TOKEN_ID_SIZE);
    status = tcsi_secret_password_hash(ret_text, TCSI_TOKEN_TEXT_SIZE, token.hash, err);
    tcsi_secret_wipe(bytes, sizeof bytes);
    if (status == TCS_OK) *ret_token = token;
    else tcsi_secret_wipe(ret_text, TCSI_TOKEN_TEXT_SIZE + 1);
    return status;
}

static tcs_status write_line(const tcsi_token *token, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "id", token->id);
    tcsi_json_put_string(&writer, "name", token->name);
    tcsi_json_put_string(&writer, "role", tcsi_role_names[token->role]);
    tcsi_json_put_integer(&writer, "created", token->created_s);
    tcsi_json_key(&writer, "expires");
    if (token->expires_s) tcsi_json_integer(&writer, token->expires_s);
    else tcsi_json_null(&writer);
    tcsi_json_put_string(&writer, "hash", token->hash);
    tcsi_json_end_object(&writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    return status == TCS_OK ? tcsi_buffer_puts(out, "\n", err) : status;
}

tcs_status tcsi_token_append(const char *path, const tcsi_token *token, tcs_error *err)
{
    tcsi_buffer line;
    tcsi_buffer_init(&line, 4096);
    tcs_status status = write_line(token, &line, err);
    int file = status == TCS_OK ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (status == TCS_OK && (file < 0 || write(file, line.data, line.size) != (ssize_t)line.size || fsync(file) != 0))
        status = tcsi_fail(err, TCS_E_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (file >= 0) close(file);
    tcsi_buffer_deinit(&line);
    return status;
}

/* ---- reading tokens ---- */

static bool is_hex(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && ((text[at] >= '0' && text[at] <= '9') || (text[at] >= 'a' && text[at] <= 'f'))) at++;
    return at == size;
}

static const char *text_of(const tcsi_json_value *object, const char *key, size_t size)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    bool fits = value && value->type == TCSI_JSON_STRING && value->text_size < size && strlen(value->text) == value->text_size;
    return fits ? value->text : NULL;
}

static tcs_status read_token(const tcsi_json_value *object, tcsi_token *ret_token, tcs_error *err)
{
    const char *id = text_of(object, "id", TCSI_TOKEN_ID_SIZE + 1), *name = text_of(object, "name", TCSI_TOKEN_NAME_SIZE);
    const char *role = text_of(object, "role", 16), *hash = text_of(object, "hash", TCSI_SECRET_PASSWORD_TEXT_SIZE);
    const tcsi_json_value *created = tcsi_json_get(object, "created"), *expires = tcsi_json_get(object, "expires");
    if (!id || strlen(id) != TCSI_TOKEN_ID_SIZE || !is_hex(id, TCSI_TOKEN_ID_SIZE))
        return tcsi_fail(err, TCS_E_FORMAT, "\"id\" of %d hexadecimal digits is expected", TCSI_TOKEN_ID_SIZE);
    if (!name || !*name) return tcsi_fail(err, TCS_E_FORMAT, "\"name\" is expected");
    tcsi_role found = role ? tcsi_role_find(role) : TCSI_ROLE_COUNT;
    if (found <= TCSI_ROLE_NONE || found >= TCSI_ROLE_COUNT)
        return tcsi_fail(err, TCS_E_FORMAT, "\"role\" viewer, analyst, operator or admin is expected");
    if (!hash || strncmp(hash, "$argon2id$", 10) != 0) return tcsi_fail(err, TCS_E_FORMAT, "\"hash\" made by Argon2id is expected");
    bool forever = !expires || expires->type == TCSI_JSON_NULL;
    if (!forever && (expires->type != TCSI_JSON_NUMBER || !(expires->number > 0 && expires->number < 1e15)))
        return tcsi_fail(err, TCS_E_FORMAT, "\"expires\" in seconds since 1970, or null, is expected");
    tcsi_token token = { .role = found, .expires_s = forever ? 0 : (int64_t)expires->number };
    if (created && created->type == TCSI_JSON_NUMBER && created->number > 0 && created->number < 1e15)
        token.created_s = (int64_t)created->number;
    snprintf(token.id, sizeof token.id, "%s", id);
    snprintf(token.name, sizeof token.name, "%s", name);
    snprintf(token.hash, sizeof token.hash, "%s", hash);
    *ret_token = token;
    return TCS_OK;
}

static tcs_status parse_line(const char *line, size_t size, tcsi_token *ret_token, tcs_error *err)
{
    tcsi_arena arena;
    const tcsi_json_value *root;
    tcsi_arena_init(&arena, 1 << 20);
    tcs_status status = tcsi_json_parse(line, size, &arena, &root, err);
    if (status == TCS_OK) status = read_token(root, ret_token, err);
    tcsi_arena_deinit(&arena);
    return status;
}

tcs_status tcsi_tokens_parse(const char *text, size_t size, tcsi_token **ret_tokens, size_t *ret_count, tcs_error *err)
{
    tcsi_token *tokens = NULL;
    size_t count = 0, number = 0;
    tcs_status status = TCS_OK;
    for (const char *at = text, *end = text + size; at < end && status == TCS_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = stop ? (size_t)(stop - at) : (size_t)(end - at), blank = 0;
        number++;
        while (blank < length && strchr(" \t\r", at[blank]) && at[blank]) blank++;
        if (blank < length && at[blank] != '#') {
            tcsi_token *grown = count < TCSI_TOKENS_MAX ? tcsi_realloc_array(tokens, count + 1, sizeof *tokens) : NULL;
            if (grown) tokens = grown;
            if (count == TCSI_TOKENS_MAX) status = tcsi_fail(err, TCS_E_LIMIT, "more than %d tokens", TCSI_TOKENS_MAX);
            else if (!grown) status = tcsi_fail_memory(err, "tokens");
            else status = parse_line(at, length, &tokens[count++], err);
            if (status != TCS_OK) tcsi_fail_prefix(err, "line %zu", number);
        }
        at += length + 1;
    }
    if (status != TCS_OK) {
        tcsi_free(tokens);
        return status;
    }
    *ret_tokens = tokens;
    *ret_count = count;
    return TCS_OK;
}

/* ---- life ---- */

static void destroy_table(table *t)
{
    if (t) tcsi_free(t->tokens);
    tcsi_free(t);
}

tcs_status tcsi_auth_create(tcsi_auth **ret_auth, tcs_error *err)
{
    tcsi_auth *auth = TCSI_NEW(tcsi_auth);
    if (!auth) return tcsi_fail_memory(err, "tokens");
    pthread_mutex_init(&auth->lock, NULL);
    pthread_mutex_init(&auth->verify_lock, NULL);
    tcs_status status = tcsi_secret_random(auth->key, sizeof auth->key, err);
    if (status == TCS_OK) status = tcsi_limiter_create(&auth->failures, err);
    if (status == TCS_OK) status = tcsi_auth_set(auth, NULL, 0, err);
    if (status == TCS_OK) *ret_auth = auth;
    else tcsi_auth_destroy(auth);
    return status;
}

void tcsi_auth_destroy(tcsi_auth *auth)
{
    if (!auth) return;
    destroy_table(auth->table);
    tcsi_limiter_destroy(auth->failures);
    tcsi_secret_wipe(auth->key, sizeof auth->key);
    tcsi_secret_wipe(auth->cache, sizeof auth->cache);
    pthread_mutex_destroy(&auth->lock);
    pthread_mutex_destroy(&auth->verify_lock);
    tcsi_free(auth);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const tcsi_token *)a)->id, ((const tcsi_token *)b)->id, TCSI_TOKEN_ID_SIZE);
}

tcs_status tcsi_auth_set(tcsi_auth *auth, const tcsi_token *tokens, size_t token_count, tcs_error *err)
{
    table *made = TCSI_NEW(table), *old;
    if (!made || !(made->tokens = TCSI_NEW_ARRAY(tcsi_token, token_count))) {
        destroy_table(made);
        return tcsi_fail_memory(err, "tokens");
    }
    made->count = token_count;
    if (token_count) {
        memcpy(made->tokens, tokens, token_count * sizeof *tokens);
        qsort(made->tokens, token_count, sizeof *made->tokens, by_id);
    }
    for (size_t t = 1; t < token_count; t++) {
        if (by_id(&made->tokens[t - 1], &made->tokens[t]) != 0) continue;
        tcs_status status = tcsi_fail(err, TCS_E_FORMAT, "two tokens have the id %s", made->tokens[t].id);
        destroy_table(made);
        return status;
    }
    pthread_mutex_lock(&auth->lock);
    old = auth->table;
    auth->table = made;
    pthread_mutex_unlock(&auth->lock);
    destroy_table(old);
    return TCS_OK;
}

tcs_status tcsi_auth_load(tcsi_auth *auth, const char *path, tcs_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0) return tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(errno));
    if (info.st_mode & 077)
        return tcsi_fail(err, TCS_E_INVALID, "%s: others than its owner may read or write it (mode %03o), expected 600", path,
                         (unsigned)info.st_mode & 0777);
    tcsi_buffer text;
    tcsi_token *tokens = NULL;
    size_t count = 0;
    tcsi_buffer_init(&text, FILE_SIZE_MAX);
    tcs_status status = tcsi_file_read(path, &text, err);
    if (status == TCS_OK) {
        status = tcsi_tokens_parse(text.data ? text.data : "", text.size, &tokens, &count, err);
        if (status == TCS_OK) status = tcsi_auth_set(auth, tokens, count, err);
        if (status != TCS_OK) tcsi_fail_prefix(err, "%s", path);
    }
    tcsi_free(tokens);
    tcsi_buffer_deinit(&text);
    return status;
}

size_t tcsi_auth_count(tcsi_auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    size_t count = auth->table->count;
    pthread_mutex_unlock(&auth->lock);
    return count;
}

/* ---- checking ---- */

/* The key of an address: one host has all of an IPv6 /64. */
static uint64_t key_of_peer(const char *peer)
{
    unsigned char bytes[16];
    char network[24];
    if (inet_pton(AF_INET6, peer, bytes) != 1) return tcsi_limiter_key(peer, 4);
    for (int i = 0; i < 8; i++) snprintf(network + 2 * i, 3, "%02x", bytes[i]);
    return tcsi_limiter_key(network, 6);
}

static bool find_token(tcsi_auth *auth, const char *text, size_t size, tcsi_token *ret_token)
{
    tcsi_token wanted;
    if (size != TCSI_TOKEN_TEXT_SIZE || memcmp(text, "tcs_", 4) != 0 || text[4 + TCSI_TOKEN_ID_SIZE] != '_') return false;
    if (!is_hex(text + 4, TCSI_TOKEN_ID_SIZE) || !is_hex(text + 5 + TCSI_TOKEN_ID_SIZE, TCSI_TOKEN_SECRET_SIZE)) return false;
    memcpy(wanted.id, text + 4, TCSI_TOKEN_ID_SIZE);
    pthread_mutex_lock(&auth->lock);
    const table *t = auth->table;
    const tcsi_token *found = t->count ? bsearch(&wanted, t->tokens, t->count, sizeof wanted, by_id) : NULL;
    if (found) *ret_token = *found;
    pthread_mutex_unlock(&auth->lock);
    return found && (ret_token->expires_s == 0 || ret_token->expires_s > tcsi_clock_wall_ns() / 1000000000);
}

static bool digest_of(const tcsi_auth *auth, const tcsi_token *token, const char *text, unsigned char ret_digest[TCSI_SECRET_HASH_SIZE])
{
    char both[TCSI_TOKEN_TEXT_SIZE + TCSI_SECRET_PASSWORD_TEXT_SIZE] = { 0 };
    memcpy(both, text, TCSI_TOKEN_TEXT_SIZE);
    memcpy(both + TCSI_TOKEN_TEXT_SIZE, token->hash, strlen(token->hash));
    bool done = tcsi_secret_hash(auth->key, sizeof auth->key, both, sizeof both, ret_digest, NULL) == TCS_OK;
    tcsi_secret_wipe(both, sizeof both);
    return done;
}

static known *set_of(tcsi_auth *auth, const unsigned char *digest)
{
    return auth->cache[(digest[0] | (size_t)digest[1] << 8) % SET_COUNT];
}

static bool is_known(tcsi_auth *auth, const unsigned char *digest, int64_t now_ns)
{
    bool found = false;
    pthread_mutex_lock(&auth->lock);
    const known *set = set_of(auth, digest);
    for (size_t s = 0; s < SET_SIZE; s++)
        found |= set[s].until_ns > now_ns && tcsi_hash_equal(set[s].digest, digest, TCSI_SECRET_HASH_SIZE);
    pthread_mutex_unlock(&auth->lock);
    return found;
}

static void keep(tcsi_auth *auth, const unsigned char *digest, int64_t now_ns)
{
    pthread_mutex_lock(&auth->lock);
    known *set = set_of(auth, digest), *oldest = set;
    for (size_t s = 1; s < SET_SIZE; s++)
        if (set[s].until_ns < oldest->until_ns) oldest = &set[s];
    memcpy(oldest->digest, digest, sizeof oldest->digest);
    oldest->until_ns = now_ns + TCSI_AUTH_KEEP_NS;
    pthread_mutex_unlock(&auth->lock);
}

/* Argon2id, one at a time; who waited may find that the one before him had the same token. */
static tcsi_auth_outcome verify(tcsi_auth *auth, const tcsi_token *token, const char *text, const unsigned char *digest)
{
    bool matches = false;
    tcs_status status = TCS_OK;
    pthread_mutex_lock(&auth->verify_lock);
    if (is_known(auth, digest, tcsi_clock_monotonic_ns())) matches = true;
    else status = tcsi_secret_password_verify(token->hash, text, TCSI_TOKEN_TEXT_SIZE, &matches, NULL);
    if (status == TCS_OK && matches) keep(auth, digest, tcsi_clock_monotonic_ns());
    pthread_mutex_unlock(&auth->verify_lock);
    if (status == TCS_E_MEMORY) return TCSI_AUTH_FAILED;
    return status == TCS_OK && matches ? TCSI_AUTH_OK : TCSI_AUTH_REFUSED;
}

tcsi_auth_outcome tcsi_auth_check(tcsi_auth *auth, const char *peer, const char *text, size_t size, tcsi_caller *ret_caller,
                                  int64_t *ret_wait_ns)
{
    tcsi_token token;
    unsigned char digest[TCSI_SECRET_HASH_SIZE];
    const int64_t now_ns = tcsi_clock_monotonic_ns();
    bool found = find_token(auth, text, size, &token);
    tcsi_auth_outcome outcome = TCSI_AUTH_REFUSED;
    if (found && !digest_of(auth, &token, text, digest)) return TCSI_AUTH_FAILED;
    if (found && is_known(auth, digest, now_ns)) {
        outcome = TCSI_AUTH_OK;
    } else {
        const uint64_t key = key_of_peer(peer);
        *ret_wait_ns = tcsi_limiter_take(auth->failures, key, TCSI_AUTH_FAILURES_RATE, TCSI_AUTH_FAILURES_BURST, 0, now_ns);
        if (*ret_wait_ns > 0) return TCSI_AUTH_LIMITED;
        if (found) outcome = verify(auth, &token, text, digest);
        if (outcome == TCSI_AUTH_REFUSED)
            (void)tcsi_limiter_take(auth->failures, key, TCSI_AUTH_FAILURES_RATE, TCSI_AUTH_FAILURES_BURST, 1, now_ns);
    }
    if (outcome != TCSI_AUTH_OK) return outcome;
    *ret_caller = (tcsi_caller){ .role = token.role };
    memcpy(ret_caller->id, token.id, sizeof token.id);
    memcpy(ret_caller->name, token.name, sizeof token.name);
    return TCSI_AUTH_OK;
}
