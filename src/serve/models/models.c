/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/models/models.h"

#include "serve/action.h"
#include "serve/models/card.h"

#include <stdio.h>
#include <string.h>

enum { CARD_SIZE_MAX = 1 << 26 };

/* ---- into the store ---- */

static bool is_name(const char *name)
{
    const size_t size = strlen(name);
    return size > 0 && size <= TCSI_MODEL_NAME_SIZE_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == size;
}

static const char IMPORT[] = "model-import"; /* its action in the audit log */

static void hash_of(const void *bytes, size_t size, char ret_hash[TCSI_HASH_TEXT_SIZE])
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_hash_bytes(bytes, size, digest);
    tcsi_hash_text(digest, ret_hash);
}

/* The card that came with it, or a new one. */
static tcs_status make_card(const tcsi_model_import *import, const char *hash, tcsi_arena *arena, tcsi_card *ret_card, tcs_error *err)
{
    unsigned char signer[TCSI_SECRET_PUBLIC_KEY_SIZE];
    const char *card_hash = hash;
    *ret_card = (tcsi_card){ .name = import->name ? import->name : "default", .parent = import->parent ? import->parent : "",
                             .note = import->note ? import->note : "", .by = import->who, .key = "", .signature = "" };
    tcs_status status = import->card ? tcsi_card_read(import->card, arena, ret_card, &card_hash, err) : TCS_OK;
    if (status != TCS_OK) return status;
    if (strcmp(card_hash, hash) != 0)
        return tcsi_fail(err, TCS_E_FORMAT, "the card is that of %.12s..., the bundle is %.12s...: one of them was changed", card_hash,
                         hash);
    if (!is_name(ret_card->name))
        return tcsi_fail(err, TCS_E_INVALID, "a model named '%.100s'; expected at most %d of a-z, 0-9, '_', '.' and '-'", ret_card->name,
                         TCSI_MODEL_NAME_SIZE_MAX);
    status = import->card ? tcsi_card_verify(ret_card, hash, NULL, signer, err) : TCS_OK;
    return status == TCS_OK && import->key ? tcsi_card_sign(ret_card, hash, import->key, arena, err) : status;
}

static tcs_status put_entry(tcsi_store *store, const char *action, const char *object, const char *detail, const char *who, int64_t now_ns,
                            tcs_error *err)
{
    char id[TCSI_ACTION_ID_SIZE];
    const tcsi_store_audit_entry entry = { .id = id, .time_ns = now_ns, .actor = who, .action = action, .object = object,
                                           .detail = detail };
    const tcs_status status = tcsi_action_id(id, err);
    return status == TCS_OK ? tcsi_store_audit_put(store, &entry, err) : status;
}

tcs_status tcsi_models_import(tcsi_store *store, const void *bytes, size_t size, const tcsi_model_import *import,
                              char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err)
{
    tcsi_arena arena;
    tcsi_buffer lineage, card_text;
    tcsi_card card;
    tcsi_arena_init(&arena, CARD_SIZE_MAX);
    tcsi_buffer_init(&lineage, CARD_SIZE_MAX);
    tcsi_buffer_init(&card_text, CARD_SIZE_MAX);
    hash_of(bytes, size, ret_hash);
    tcs_status status = tcsi_model_lineage(bytes, size, &lineage, err);
    if (status == TCS_OK) status = make_card(import, ret_hash, &arena, &card, err);
    if (status == TCS_OK) {
        card.lineage = lineage.data;
        status = tcsi_card_write(&card, ret_hash, &card_text, err);
    }
    if (status == TCS_OK) status = tcsi_store_begin(store, err);
    if (status == TCS_OK) {
        status = tcsi_store_model_put(store, bytes, size, import->now_ns, card_text.data, ret_hash, err);
        if (status == TCS_OK) status = put_entry(store, IMPORT, ret_hash, card_text.data, import->who, import->now_ns, err);
        if (status == TCS_OK) status = tcsi_store_commit(store, err);
        else tcsi_store_rollback(store);
    }
    tcsi_buffer_deinit(&card_text);
    tcsi_buffer_deinit(&lineage);
    tcsi_arena_deinit(&arena);
    return status;
}

/* ---- which there are ---- */

void tcsi_model_alias(const char *name, const char *role, char ret_alias[TCSI_MODEL_ALIAS_SIZE])
{
    const bool is_live = strcmp(name, TCSI_MODEL_LIVE) == 0 || !*name;
    snprintf(ret_alias, TCSI_MODEL_ALIAS_SIZE, "%s%s%s", is_live ? "" : name, is_live ? "" : "/", role);
}

typedef struct listed {
    tcsi_arena *arena;
    tcsi_model *models;
    size_t count, capacity;
    bool is_out_of_memory;
} listed;

static bool keep_model(void *context, const tcsi_store_model *model)
{
    listed *l = context;
    if (l->count == l->capacity) {
        const size_t capacity = l->capacity ? 2 * l->capacity : 16;
        tcsi_model *more = TCSI_ARENA_NEW(l->arena, tcsi_model, capacity);
        if (more && l->count) memcpy(more, l->models, l->count * sizeof *more);
        if (!more) l->is_out_of_memory = true;
        else {
            l->models = more;
            l->capacity = capacity;
        }
    }
    if (l->is_out_of_memory) return false;
    tcsi_model *kept = &l->models[l->count++];
    *kept = (tcsi_model){ .size = model->size, .created_ns = model->created_ns,
                          .card = tcsi_arena_strndup(l->arena, model->document, strlen(model->document)) };
    snprintf(kept->hash, sizeof kept->hash, "%s", model->hash);
    l->is_out_of_memory = !kept->card;
    return kept->card != NULL;
}

static tcs_status is_alias_of(tcsi_store *store, const tcsi_model *model, const char *role, bool *ret_is, tcs_error *err)
{
    char alias[TCSI_MODEL_ALIAS_SIZE], hash[TCSI_HASH_TEXT_SIZE];
    bool is_found = false;
    tcsi_model_alias(model->name, role, alias);
    const tcs_status status = tcsi_store_alias_get(store, alias, hash, &is_found, err);
    *ret_is = status == TCS_OK && is_found && strcmp(hash, model->hash) == 0;
    return status;
}

/* All, each with what its card says; a card that cannot be read is one without words, which verify names. */
static tcs_status list_all(tcsi_store *store, tcsi_arena *arena, listed *ret_list, tcs_error *err)
{
    listed l = { .arena = arena };
    tcs_status status = tcsi_store_model_list(store, keep_model, &l, err);
    if (status == TCS_OK && l.is_out_of_memory) status = tcsi_fail_memory(err, "models");
    for (size_t i = 0; status == TCS_OK && i < l.count; i++) {
        tcsi_model *model = &l.models[i];
        tcsi_card card;
        const char *hash;
        tcs_error ignored;
        const bool is_read = tcsi_card_read(model->card, arena, &card, &hash, &ignored) == TCS_OK;
        model->name = is_read ? card.name : "";
        model->parent = is_read ? card.parent : "";
        model->note = is_read ? card.note : "";
        status = is_alias_of(store, model, "champion", &model->is_champion, err);
        if (status == TCS_OK) status = is_alias_of(store, model, "challenger", &model->is_challenger, err);
    }
    *ret_list = l;
    return status;
}

tcs_status tcsi_models_list(tcsi_store *store, tcsi_model_each each, void *context, tcs_error *err)
{
    tcsi_arena arena;
    listed l;
    tcsi_arena_init(&arena, 0);
    const tcs_status status = list_all(store, &arena, &l, err);
    for (size_t i = 0; status == TCS_OK && i < l.count; i++)
        if (!each(context, &l.models[i])) break;
    tcsi_arena_deinit(&arena);
    return status;
}

tcs_status tcsi_models_find(tcsi_store *store, const char *name, tcsi_arena *arena, tcsi_model *ret_model, tcs_error *err)
{
    char aliased[TCSI_HASH_TEXT_SIZE];
    bool is_alias = false;
    const tcsi_model *found = NULL;
    listed l;
    tcs_status status = list_all(store, arena, &l, err);
    if (status == TCS_OK) status = tcsi_store_alias_get(store, name, aliased, &is_alias, err);
    if (status != TCS_OK) return status;
    const char *wanted = is_alias ? aliased : name;
    for (size_t i = 0; i < l.count; i++) {
        if (strncmp(l.models[i].hash, wanted, strlen(wanted)) != 0) continue;
        if (strlen(wanted) < TCSI_MODEL_PREFIX_MIN)
            return tcsi_fail(err, TCS_E_INVALID, "'%s': expected at least %d digits of a hash", name, TCSI_MODEL_PREFIX_MIN);
        if (found) return tcsi_fail(err, TCS_E_INVALID, "'%s' is the beginning of several hashes", name);
        found = &l.models[i];
    }
    if (!found) return tcsi_fail(err, TCS_E_INVALID, "there is no model '%.100s'; expected a hash, its beginning, or an alias", name);
    *ret_model = *found;
    return TCS_OK;
}

/* ---- whether it is what it was ---- */

typedef struct remembered {
    const tcsi_model *model;
    bool is_changed;
} remembered;

/* The log keeps each card as it was when it came, the last one last. */
static bool compare_card(void *context, const tcsi_store_audit_entry *entry)
{
    remembered *r = context;
    r->is_changed = strcmp(entry->detail, r->model->card) != 0;
    return r->is_changed; /* imported twice: the first one stays */
}

tcs_status tcsi_models_verify(tcsi_store *store, const tcsi_model *model, const unsigned char *trusted,
                              unsigned char ret_signer[TCSI_SECRET_PUBLIC_KEY_SIZE], tcs_error *err)
{
    tcsi_arena arena;
    tcsi_buffer bytes, lineage, again;
    tcsi_card card;
    const char *hash = "";
    remembered past = { .model = model };
    tcsi_arena_init(&arena, CARD_SIZE_MAX);
    tcsi_buffer_init(&bytes, SIZE_MAX);
    tcsi_buffer_init(&lineage, CARD_SIZE_MAX);
    tcsi_buffer_init(&again, CARD_SIZE_MAX);
    tcs_status status = tcsi_store_model_get(store, model->hash, &bytes, err); /* which compares bytes and hash */
    if (status == TCS_OK) status = tcsi_model_lineage(bytes.data, bytes.size, &lineage, err);
    if (status == TCS_OK) status = tcsi_card_read(model->card, &arena, &card, &hash, err);
    if (status == TCS_OK) {
        card.lineage = lineage.data;
        status = tcsi_card_write(&card, model->hash, &again, err);
    }
    if (status == TCS_OK && (strcmp(again.data, model->card) != 0 || strcmp(hash, model->hash) != 0))
        status = tcsi_fail(err, TCS_E_FORMAT, "its card was changed: it does not say what the bundle says of itself");
    const tcsi_store_audit_query imports = { .action = IMPORT, .object = model->hash };
    if (status == TCS_OK) status = tcsi_store_audit_of(store, &imports, compare_card, &past, err);
    if (status == TCS_OK && past.is_changed) status = tcsi_fail(err, TCS_E_FORMAT, "its card is not the one that the audit log has");
    if (status == TCS_OK) status = tcsi_card_verify(&card, model->hash, trusted, ret_signer, err);
    if (status != TCS_OK) tcsi_fail_prefix(err, "model %.12s...", model->hash);
    tcsi_buffer_deinit(&again);
    tcsi_buffer_deinit(&lineage);
    tcsi_buffer_deinit(&bytes);
    tcsi_arena_deinit(&arena);
    return status;
}

/* ---- who decides ---- */

tcs_status tcsi_models_document(const char *alias, const char *to, const char *reason, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "operation", *to ? "promote" : "rollback");
    tcsi_json_put_string(&writer, "alias", alias);
    tcsi_json_put_string(&writer, "to", to);
    tcsi_json_put_string(&writer, "reason", reason);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

typedef struct said {
    const char *alias, *to, *operation;
} said;

static tcs_status read_said(const char *detail, tcsi_arena *arena, said *ret_said, tcs_error *err)
{
    const tcsi_json_value *root = NULL, *values[3];
    static const char *const keys[] = { "alias", "to", "operation" };
    const tcs_status status = tcsi_json_parse(detail, strlen(detail), arena, &root, err);
    if (status != TCS_OK) return status;
    if (tcsi_json_get(root, "document")) root = tcsi_json_get(root, "document"); /* of an action, beside who asked for it */
    for (size_t i = 0; i < TCS_COUNT(keys); i++) {
        values[i] = tcsi_json_get(root, keys[i]);
        if (!values[i] || values[i]->type != TCSI_JSON_STRING || strlen(values[i]->text) != values[i]->text_size)
            return tcsi_fail(err, TCS_E_FORMAT, "a promotion without '%s'", keys[i]);
    }
    *ret_said = (said){ values[0]->text, values[1]->text, values[2]->text };
    return TCS_OK;
}

/* A stack of what was promoted under an alias; a rollback takes the uppermost off. */
typedef struct folding {
    const char *alias;
    char (*hashes)[TCSI_HASH_TEXT_SIZE];
    size_t count, capacity;
    bool is_rolled_back;   /* by the last entry */
    tcsi_arena *arena;
    tcs_status status;
    tcs_error err;
} folding;

static void push_hash(folding *f, const char *hash)
{
    if (f->count == f->capacity) {
        const size_t capacity = f->capacity ? 2 * f->capacity : 16;
        char(*more)[TCSI_HASH_TEXT_SIZE] = tcsi_arena_alloc(f->arena, capacity, sizeof *more);
        if (!more) {
            f->status = tcsi_fail_memory(&f->err, "promotions");
            return;
        }
        if (f->count) memcpy(more, f->hashes, f->count * sizeof *more);
        f->hashes = more;
        f->capacity = capacity;
    }
    snprintf(f->hashes[f->count++], TCSI_HASH_TEXT_SIZE, "%s", hash);
}

static bool fold(void *context, const tcsi_store_audit_entry *entry)
{
    folding *f = context;
    tcs_error ignored;
    said s;
    if (read_said(entry->detail, f->arena, &s, &ignored) != TCS_OK || strcmp(s.alias, f->alias) != 0) return true;
    f->is_rolled_back = strcmp(s.operation, "rollback") == 0;
    if (!f->is_rolled_back) push_hash(f, s.to);
    else if (f->count > 1) f->count--; /* one that found nothing before it changed nothing */
    return f->status == TCS_OK;
}

/* Every promotion and rollback there was; f's alias and arena are set. */
static tcs_status fold_log(tcsi_store *store, folding *f, tcs_error *err)
{
    const tcsi_store_audit_query decisions = { .action = tcsi_action_names[TCSI_ACTION_MODEL] };
    const tcs_status status = tcsi_store_audit_of(store, &decisions, fold, f, err);
    return status == TCS_OK && f->status != TCS_OK ? tcsi_fail(err, f->status, "%s", f->err.text) : status;
}

typedef struct presence {
    const char *hash;
    bool is_there;
} presence;

static bool note_presence(void *context, const tcsi_store_model *model)
{
    presence *p = context;
    p->is_there |= strcmp(model->hash, p->hash) == 0;
    return !p->is_there;
}

/* What was removed since cannot decide: the one before it does. */
static tcs_status drop_removed(tcsi_store *store, folding *f, tcs_error *err)
{
    tcs_status status = TCS_OK;
    while (status == TCS_OK && f->count > 0) {
        presence p = { .hash = f->hashes[f->count - 1] };
        status = tcsi_store_model_list(store, note_presence, &p, err);
        if (p.is_there) break;
        f->count -= status == TCS_OK;
    }
    return status;
}

tcs_status tcsi_models_settle(tcsi_store *store, const char *detail, char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err)
{
    tcsi_arena arena;
    said s = { 0 };
    folding f = { .arena = &arena };
    tcsi_arena_init(&arena, (size_t)1 << 30);
    tcs_status status = read_said(detail, &arena, &s, err);
    f.alias = s.alias;
    if (status == TCS_OK) status = fold_log(store, &f, err);
    *ret_hash = 0;
    if (status == TCS_OK) status = drop_removed(store, &f, err);
    if (status == TCS_OK && f.count > 0) {
        memcpy(ret_hash, f.hashes[f.count - 1], TCSI_HASH_TEXT_SIZE);
        status = tcsi_store_alias_set(store, s.alias, ret_hash, err);
    }
    tcsi_arena_deinit(&arena);
    return status;
}

tcs_status tcsi_models_is_rolled_back(tcsi_store *store, const char *alias, bool *ret_is, tcs_error *err)
{
    tcsi_arena arena;
    folding f = { .alias = alias, .arena = &arena };
    tcsi_arena_init(&arena, (size_t)1 << 30);
    const tcs_status status = fold_log(store, &f, err);
    *ret_is = status == TCS_OK && f.is_rolled_back;
    tcsi_arena_deinit(&arena);
    return status;
}

static tcs_status settle_entry(tcsi_store *store, const char *detail, const char *to, const char *who, int64_t now_ns,
                               char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err)
{
    char before[TCSI_HASH_TEXT_SIZE];
    tcs_status status = tcsi_models_settle(store, detail, before, err); /* as it is: an alias set by hand has no entry */
    if (status == TCS_OK) status = put_entry(store, tcsi_action_names[TCSI_ACTION_MODEL], to, detail, who, now_ns, err);
    if (status == TCS_OK) status = tcsi_models_settle(store, detail, ret_hash, err);
    if (status == TCS_OK && !*to && strcmp(before, ret_hash) == 0) status = tcsi_fail(err, TCS_E_INVALID, "there is none before it");
    return status;
}

tcs_status tcsi_models_promote(tcsi_store *store, const char *alias, const char *to, const char *reason, const char *who, int64_t now_ns,
                               char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err)
{
    tcsi_buffer detail;
    tcsi_buffer_init(&detail, 1 << 20);
    tcs_status status = tcsi_models_document(alias, to, reason, &detail, err);
    if (status == TCS_OK) status = tcsi_store_begin(store, err);
    if (status == TCS_OK) {
        status = settle_entry(store, detail.data, to, who, now_ns, ret_hash, err);
        if (status == TCS_OK) status = tcsi_store_commit(store, err);
        else tcsi_store_rollback(store);
    }
    tcsi_buffer_deinit(&detail);
    return status;
}
