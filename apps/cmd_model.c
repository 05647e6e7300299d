/* apps/cmd_model.c -- `tocsin model`: the registry of models.  SPDX-License-Identifier: Apache-2.0 */
#include "model_measure.h"
#include "model_words.h"

#include "base/clock.h"
#include "base/file.h"
#include "serve/models/canary.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct model_options {
    cli_reading reading;
    const char *data, *store, *name, *parent, *note, *reason, *key, *trust, *output, *role;
    double share;
    bool json;
} model_options;

#define AT(field) offsetof(model_options, field)
static const cli_option options[] = {
    { "--data", "FOLDER", CLI_TEXT, AT(data), "of the live service, whose store is meant; default tocsin-data" },
    { "--store", "URL", CLI_TEXT, AT(store), "sqlite:PATH or postgresql://..., instead" },
    { "--name", "NAME", CLI_TEXT, AT(name), "import: what it is for; models of one name can stand in for each other; default `default`" },
    { "--parent", "MODEL", CLI_TEXT, AT(parent), "import: the one that it was made from" },
    { "--note", "TEXT", CLI_TEXT, AT(note), "import: a line for people" },
    { "--key", "FILE", CLI_TEXT, AT(key), "import: sign it with this key, which `tocsin model key FILE` makes" },
    { "--trust", "FILE.pub", CLI_TEXT, AT(trust), "verify: only what this key has signed is sound" },
    { "--reason", "TEXT", CLI_TEXT, AT(reason), "promote, rollback, canary: why.  Promoting without one needs every gate passed" },
    { "--share", "SHARE", CLI_REAL, AT(share), "canary start: of all series; default 0.1", .low = 0.001, .high = 1 },
    { "--role", "champion|challenger", CLI_TEXT, AT(role), "promote, rollback: what it becomes; default champion" },
    { "--output", "FILE", CLI_TEXT, AT(output), "export: where the bundle goes, its card beside it as FILE.card; card: the page", 'o' },
    { "--json", NULL, CLI_FLAG, AT(json), "list, show, canary: one JSON document" },
    CLI_READING_OPTIONS(AT(reading), "measure: label column; found when not given; '' for none"),
};

/* What a subcommand works on. */
typedef struct job {
    const model_options *o;
    const char *const *words; /* behind the subcommand */
    tcsi_store *store;
    tcsi_arena arena;
    const char *who;
} job;

static tcs_status find(job *j, size_t word, tcsi_model *ret_model, tcs_error *err)
{
    return tcsi_models_find(j->store, j->words[word], &j->arena, ret_model, err);
}

/* ---- keys ---- */

static tcs_status write_hex(const char *path, const unsigned char *bytes, size_t size, bool is_secret, tcs_error *err)
{
    char text[2 * TCSI_SECRET_KEY_SIZE + 2];
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL, is_secret ? 0600 : 0644);
    if (file < 0) return tcsi_fail(err, TCS_E_IO, "%s: it is there already, or cannot be made", path);
    for (size_t i = 0; i < size; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    text[2 * size] = '\n';
    const bool is_written = write(file, text, 2 * size + 1) == (ssize_t)(2 * size + 1);
    tcsi_secret_wipe(text, sizeof text);
    return close(file) == 0 && is_written ? TCS_OK : tcsi_fail(err, TCS_E_IO, "%s: cannot be written", path);
}

static tcs_status read_hex(const char *path, size_t size, unsigned char *ret_bytes, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_buffer_init(&text, 1 << 10);
    tcs_status status = tcsi_file_read(path, &text, err);
    for (size_t i = 0; status == TCS_OK && i < size; i++) {
        unsigned value;
        const bool is_hex = 2 * i + 1 < text.size && strspn(text.data + 2 * i, "0123456789abcdef") >= 2 &&
                            sscanf(text.data + 2 * i, "%2x", &value) == 1;
        if (is_hex) ret_bytes[i] = (unsigned char)value;
        else status = tcsi_fail(err, TCS_E_FORMAT, "%s: expected a key of %zu hexadecimal digits, as `tocsin model key` makes it", path,
                                2 * size);
    }
    if (text.data) tcsi_secret_wipe(text.data, text.size);
    tcsi_buffer_deinit(&text);
    return status;
}

static tcs_status make_key(job *j, tcs_error *err)
{
    unsigned char public_key[TCSI_SECRET_PUBLIC_KEY_SIZE], key[TCSI_SECRET_KEY_SIZE];
    char path[1024];
    snprintf(path, sizeof path, "%s.pub", j->words[0]);
    tcs_status status = tcsi_secret_key_create(public_key, key, err);
    if (status == TCS_OK) status = write_hex(j->words[0], key, sizeof key, true, err);
    if (status == TCS_OK) status = write_hex(path, public_key, sizeof public_key, false, err);
    tcsi_secret_wipe(key, sizeof key);
    if (status == TCS_OK) fprintf(stderr, "tocsin model: %s is secret, %s is for those who verify\n", j->words[0], path);
    return status;
}

/* ---- in and out ---- */

static tcs_status import_model(job *j, tcs_error *err)
{
    unsigned char key[TCSI_SECRET_KEY_SIZE];
    char hash[TCSI_HASH_TEXT_SIZE], path[1024];
    tcsi_model parent = { .hash = "" };
    tcsi_buffer bytes, card;
    tcsi_buffer_init(&bytes, SIZE_MAX);
    tcsi_buffer_init(&card, 1 << 26);
    snprintf(path, sizeof path, "%s.card", j->words[0]);
    const bool has_card = access(path, R_OK) == 0;
    tcs_status status = tcsi_file_read(j->words[0], &bytes, err);
    if (status == TCS_OK && has_card) status = tcsi_file_read(path, &card, err);
    if (status == TCS_OK && j->o->key) status = read_hex(j->o->key, sizeof key, key, err);
    if (status == TCS_OK && j->o->parent) status = tcsi_models_find(j->store, j->o->parent, &j->arena, &parent, err);
    const tcsi_model_import how = { .name = j->o->name, .parent = parent.hash, .note = j->o->note, .card = has_card ? card.data : NULL,
                                    .key = j->o->key ? key : NULL, .who = j->who, .now_ns = tcsi_clock_wall_ns() };
    if (status == TCS_OK) status = tcsi_models_import(j->store, bytes.data, bytes.size, &how, hash, err);
    tcsi_secret_wipe(key, sizeof key);
    if (status == TCS_OK) printf("%s\n", hash);
    tcsi_buffer_deinit(&card);
    tcsi_buffer_deinit(&bytes);
    return status;
}

static tcs_status export_model(job *j, tcs_error *err)
{
    tcsi_model model;
    tcsi_buffer bytes;
    char path[1024];
    if (!j->o->output) return tcsi_fail(err, TCS_E_INVALID, "expected --output FILE");
    snprintf(path, sizeof path, "%s.card", j->o->output);
    tcsi_buffer_init(&bytes, SIZE_MAX);
    tcs_status status = find(j, 0, &model, err);
    if (status == TCS_OK) status = tcsi_store_model_get(j->store, model.hash, &bytes, err);
    if (status == TCS_OK) status = tcsi_file_write(j->o->output, bytes.data, bytes.size, err);
    if (status == TCS_OK) status = tcsi_file_write(path, model.card, strlen(model.card), err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

/* ---- telling ---- */

static bool list_one(void *context, const tcsi_model *model)
{
    tcsi_json_writer *writer = context;
    if (writer) cli_model_write(model, writer);
    else cli_model_line(model);
    return true;
}

static tcs_status list_models(job *j, tcs_error *err)
{
    tcsi_buffer out;
    tcsi_json_writer writer;
    tcsi_buffer_init(&out, (size_t)1 << 30);
    tcsi_json_writer_init(&writer, &out, true);
    tcsi_json_begin_array(&writer);
    tcs_status status = tcsi_models_list(j->store, list_one, j->o->json ? &writer : NULL, err);
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK && j->o->json) printf("%s\n", out.data);
    tcsi_buffer_deinit(&out);
    return status;
}

static tcs_status show_model(job *j, tcs_error *err)
{
    tcsi_model model;
    tcs_status status = find(j, 0, &model, err);
    if (status == TCS_OK && !j->o->json) return cli_model_page(j->store, &model, stdout, err);
    if (status == TCS_OK) {
        tcsi_buffer out;
        tcsi_json_writer writer;
        tcsi_buffer_init(&out, (size_t)1 << 30);
        tcsi_json_writer_init(&writer, &out, true);
        cli_model_write(&model, &writer);
        status = tcsi_json_finish(&writer, err);
        if (status == TCS_OK) printf("%s\n", out.data);
        tcsi_buffer_deinit(&out);
    }
    return status;
}

static tcs_status write_page(job *j, tcs_error *err)
{
    tcsi_file_writer file;
    tcsi_model model;
    if (!j->o->output) return show_model(j, err);
    tcs_status status = find(j, 0, &model, err);
    if (status == TCS_OK) status = tcsi_file_writer_open(j->o->output, &file, err);
    if (status != TCS_OK) return status;
    status = cli_model_page(j->store, &model, file.stream, err);
    if (status == TCS_OK) return tcsi_file_writer_commit(&file, err);
    tcsi_file_writer_abort(&file);
    return status;
}

static tcs_status compare_models(job *j, tcs_error *err)
{
    tcsi_model a, b;
    tcs_status status = find(j, 0, &a, err);
    if (status == TCS_OK) status = find(j, 1, &b, err);
    return status == TCS_OK ? cli_model_differences(&a, &b, err) : status;
}

typedef struct verifying {
    job *job;
    const unsigned char *trusted;
    tcsi_model *models;
    size_t count;
} verifying;

static tcs_status verify_one(job *j, const tcsi_model *model, const unsigned char *trusted, tcs_error *err)
{
    unsigned char signer[TCSI_SECRET_PUBLIC_KEY_SIZE];
    static const unsigned char nobody[TCSI_SECRET_PUBLIC_KEY_SIZE];
    const tcs_status status = tcsi_models_verify(j->store, model, trusted, signer, err);
    if (status != TCS_OK) return status;
    printf("%s: sound, %s", model->hash, memcmp(signer, nobody, sizeof signer) == 0 ? "signed by nobody" : "signed by ");
    for (size_t i = 0; memcmp(signer, nobody, sizeof signer) != 0 && i < sizeof signer; i++) printf("%02x", signer[i]);
    printf("\n");
    return TCS_OK;
}

static bool keep_name(void *context, const tcsi_model *model)
{
    tcsi_buffer *names = context;
    return tcsi_buffer_printf(names, NULL, "%s\n", model->hash) == TCS_OK;
}

/* One, or all: every one that is not sound is named. */
static tcs_status verify_models(job *j, tcs_error *err)
{
    unsigned char trusted[TCSI_SECRET_PUBLIC_KEY_SIZE];
    tcsi_buffer names;
    tcsi_model model;
    tcs_error failure = { 0 };
    size_t bad = 0;
    tcsi_buffer_init(&names, SIZE_MAX);
    tcs_status status = j->o->trust ? read_hex(j->o->trust, sizeof trusted, trusted, err) : TCS_OK;
    if (status == TCS_OK && j->words[0]) status = tcsi_buffer_printf(&names, err, "%s\n", j->words[0]);
    else if (status == TCS_OK) status = tcsi_models_list(j->store, keep_name, &names, err);
    for (char *at = names.data; status == TCS_OK && at && *at;) {
        char *end = strchr(at, '\n');
        *end = 0;
        status = tcsi_models_find(j->store, at, &j->arena, &model, err);
        at = end + 1;
        if (status != TCS_OK || verify_one(j, &model, j->o->trust ? trusted : NULL, &failure) == TCS_OK) continue;
        printf("%s: NOT SOUND: %s\n", model.hash, failure.text);
        bad++;
    }
    tcsi_buffer_deinit(&names);
    return status == TCS_OK && bad ? tcsi_fail(err, TCS_E_FORMAT, "%zu not sound; the last: %.400s", bad, failure.text) : status;
}

/* ---- measuring and deciding ---- */

static tcs_status measure_model(job *j, tcs_error *err)
{
    tcsi_model model;
    tcsi_model_evidence evidence;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, SIZE_MAX);
    tcs_status status = find(j, 0, &model, err);
    if (status == TCS_OK) status = tcsi_store_model_get(j->store, model.hash, &bytes, err);
    if (status == TCS_OK) status = cli_model_measure(bytes.data, bytes.size, j->words[1], &j->o->reading, &j->arena, &evidence, err);
    if (status == TCS_OK) status = tcsi_models_evidence_put(j->store, model.hash, &evidence, err);
    if (status == TCS_OK) status = cli_model_page(j->store, &model, stdout, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

typedef struct matching {
    job *job;
    const tcsi_model_evidence *challenger;
    tcsi_model_evidence champion;
    bool is_found;
} matching;

static bool match_data(void *context, const tcsi_model_evidence *evidence)
{
    matching *m = context;
    if (strcmp(evidence->data, m->challenger->data) != 0) return true;
    m->champion = *evidence;
    m->champion.data = m->challenger->data;
    m->is_found = true;
    return false;
}

typedef struct kept_evidence {
    tcsi_arena *arena;
    tcsi_model_evidence items[64]; /* the newest */
    size_t count;
} kept_evidence;

static bool keep_evidence(void *context, const tcsi_model_evidence *evidence)
{
    kept_evidence *kept = context;
    tcsi_model_evidence *added = &kept->items[kept->count];
    *added = *evidence;
    added->data = tcsi_arena_strndup(kept->arena, evidence->data, strlen(evidence->data));
    kept->count += added->data != NULL;
    return added->data && kept->count < TCS_COUNT(kept->items);
}

/* All gates that can be asked; *ret_failed of them are shut.  None at all is a shut one, too. */
static tcs_status ask_gates(job *j, const tcsi_model *model, size_t *ret_failed, tcs_error *err)
{
    char alias[TCSI_MODEL_ALIAS_SIZE], hash[TCSI_HASH_TEXT_SIZE];
    static kept_evidence kept;
    bool has_champion = false;
    tcsi_model_alias(model->name, "champion", alias);
    kept = (kept_evidence){ .arena = &j->arena };
    *ret_failed = 0;
    tcs_status status = tcsi_store_alias_get(j->store, alias, hash, &has_champion, err);
    if (status == TCS_OK) status = tcsi_models_evidence_list(j->store, model->hash, keep_evidence, &kept, err);
    for (size_t i = 0; status == TCS_OK && i < kept.count; i++) {
        matching m = { .job = j, .challenger = &kept.items[i] };
        tcsi_model_gate gates[TCSI_MODEL_GATES_MAX];
        if (has_champion) status = tcsi_models_evidence_list(j->store, hash, match_data, &m, err);
        const size_t count = tcsi_models_gates(&kept.items[i], m.is_found ? &m.champion : NULL, gates);
        cli_model_gates(gates, count);
        for (size_t g = 0; g < count; g++) *ret_failed += !gates[g].is_passed;
        if (has_champion && !m.is_found) {
            printf("FAIL   the champion was not measured on %s\n", kept.items[i].data);
            ++*ret_failed;
        }
    }
    if (status == TCS_OK && kept.count == 0) {
        printf("FAIL   nothing was measured of it: tocsin model measure\n");
        ++*ret_failed;
    }
    return status;
}

static tcs_status promote_model(job *j, tcs_error *err)
{
    const char *role = j->o->role ? j->o->role : "champion";
    char alias[TCSI_MODEL_ALIAS_SIZE], hash[TCSI_HASH_TEXT_SIZE];
    size_t failed = 0;
    tcsi_model model;
    tcs_status status = find(j, 0, &model, err);
    if (status == TCS_OK && strcmp(role, "champion") == 0) status = ask_gates(j, &model, &failed, err);
    if (status == TCS_OK && failed && !j->o->reason)
        status = tcsi_fail(err, TCS_E_FORMAT, "shut gates: %zu; --reason says why it is to decide nevertheless", failed);
    if (status == TCS_OK) tcsi_model_alias(model.name, role, alias);
    if (status == TCS_OK)
        status = tcsi_models_promote(j->store, alias, model.hash, j->o->reason ? j->o->reason : "every gate passed", j->who,
                                     tcsi_clock_wall_ns(), hash, err);
    if (status == TCS_OK) printf("%s is %s\n", alias, hash);
    return status;
}

static tcs_status roll_back(job *j, tcs_error *err)
{
    char alias[TCSI_MODEL_ALIAS_SIZE], hash[TCSI_HASH_TEXT_SIZE];
    tcsi_model_alias(j->words[0], j->o->role ? j->o->role : "champion", alias);
    const tcs_status status = tcsi_models_promote(j->store, alias, "", j->o->reason ? j->o->reason : "", j->who, tcsi_clock_wall_ns(), hash,
                                                  err);
    if (status == TCS_OK) printf("%s is %s\n", alias, hash);
    return status;
}

/* ---- on trial ---- */

static tcs_status start_canary(job *j, tcs_error *err)
{
    const double share = j->o->share == 0 ? 0.1 : j->o->share;
    tcsi_model model;
    if (!j->words[1]) return tcsi_fail(err, TCS_E_INVALID, "expected tocsin model canary start MODEL");
    if (!j->o->reason || !*j->o->reason) return tcsi_fail(err, TCS_E_INVALID, "expected --reason: it goes into the audit log");
    const tcs_status status = find(j, 1, &model, err);
    if (status != TCS_OK) return status;
    if (strcmp(model.name, TCSI_MODEL_LIVE) != 0 || model.is_champion)
        return tcsi_fail(err, TCS_E_INVALID, "expected a model named '%s' that is not the champion; this one is '%s'%s", TCSI_MODEL_LIVE,
                         model.name, model.is_champion ? ", and decides already" : "");
    return tcsi_canary_say(j->store, model.hash, share, j->o->reason, j->who, tcsi_clock_wall_ns(), err);
}

static tcs_status print_canary(job *j, tcs_error *err)
{
    tcsi_canary canary = { .share = 0 };
    tcsi_canary_group groups[2] = { { .opened = 0 } };
    static const char *const names[] = { "canary", "others" };
    tcs_status status = tcsi_canary_read(j->store, &canary, err);
    if (status == TCS_OK && canary.share > 0) status = tcsi_canary_measure(j->store, &canary, 0, groups, err);
    if (status != TCS_OK) return status;
    if (j->o->json) {
        tcsi_buffer out;
        tcsi_json_writer writer;
        tcsi_buffer_init(&out, 1 << 20);
        tcsi_json_writer_init(&writer, &out, true);
        tcsi_canary_write(&canary, groups, &writer);
        status = tcsi_json_finish(&writer, err);
        if (status == TCS_OK) printf("%s\n", out.data);
        tcsi_buffer_deinit(&out);
        return status;
    }
    if (canary.share == 0) printf("no canary: the champion answers for all series\n");
    else printf("%s answers for %g of the series\n", canary.model, canary.share);
    for (size_t i = 0; canary.share > 0 && i < 2; i++)
        printf("%-7s episodes: %llu opened, %llu confirmed; people said true of %llu, expected of %llu\n", names[i],
               (unsigned long long)groups[i].opened, (unsigned long long)groups[i].confirmed, (unsigned long long)groups[i].said_true,
               (unsigned long long)groups[i].said_false);
    return TCS_OK;
}

/* A running service finds it within half a second. */
static tcs_status change_canary(job *j, tcs_error *err)
{
    const char *what = j->words[0];
    if (strcmp(what, "status") == 0 && !j->words[1]) return print_canary(j, err);
    if (strcmp(what, "start") == 0) {
        const tcs_status status = start_canary(j, err);
        return status == TCS_OK ? print_canary(j, err) : status;
    }
    if (strcmp(what, "stop") != 0 || j->words[1])
        return tcsi_fail(err, TCS_E_INVALID, "expected tocsin model canary start MODEL, canary stop or canary status");
    const char *reason = j->o->reason ? j->o->reason : "";
    const tcs_status status = tcsi_canary_say(j->store, "", 0, reason, j->who, tcsi_clock_wall_ns(), err);
    return status == TCS_OK ? print_canary(j, err) : status;
}

static tcs_status remove_model(job *j, tcs_error *err)
{
    tcsi_model model;
    const tcs_status status = find(j, 0, &model, err);
    return status == TCS_OK ? tcsi_store_model_remove(j->store, model.hash, err) : status;
}

/* ---- which ---- */

typedef struct subcommand {
    const char *name, *words;
    size_t word_min, word_max;
    bool needs_store, makes_store;
    tcs_status (*run)(job *j, tcs_error *err);
} subcommand;

static const subcommand subcommands[] = {
    { "list", "", 0, 0, true, false, list_models },
    { "show", "MODEL", 1, 1, true, false, show_model },
    { "card", "MODEL", 1, 1, true, false, write_page },
    { "diff", "MODEL MODEL", 2, 2, true, false, compare_models },
    { "verify", "[MODEL]", 0, 1, true, false, verify_models },
    { "import", "FILE", 1, 1, true, true, import_model },
    { "export", "MODEL", 1, 1, true, false, export_model },
    { "measure", "MODEL INPUT", 2, 2, true, false, measure_model },
    { "promote", "MODEL", 1, 1, true, false, promote_model },
    { "rollback", "NAME", 1, 1, true, false, roll_back },
    { "canary", "start|stop|status [MODEL]", 1, 2, true, false, change_canary },
    { "remove", "MODEL", 1, 1, true, false, remove_model },
    { "key", "FILE", 1, 1, false, false, make_key },
};

static tcs_status open_store(const model_options *o, bool makes_it, tcsi_store **ret_store, tcs_error *err)
{
    const tcsi_store_options how = { .must_exist = !makes_it };
    char path[1024];
    snprintf(path, sizeof path, "%s/tocsin.db", o->data ? o->data : "tocsin-data");
    return tcsi_store_open(o->store ? o->store : path, &how, ret_store, err);
}

static tcs_status run_subcommand(const model_options *o, const char *const *inputs, size_t input_count, tcs_error *err)
{
    const subcommand *found = NULL;
    for (size_t i = 0; i < TCS_COUNT(subcommands); i++)
        if (strcmp(subcommands[i].name, inputs[0]) == 0) found = &subcommands[i];
    if (!found)
        return tcsi_fail(err, TCS_E_INVALID, "'%s': expected list, show, card, diff, verify, import, export, measure, promote, rollback, "
                         "canary, remove or key; try `tocsin model --help`", inputs[0]);
    if (input_count - 1 < found->word_min || input_count - 1 > found->word_max)
        return tcsi_fail(err, TCS_E_INVALID, "expected tocsin model %s %s", found->name, found->words);
    const char *words[] = { input_count > 1 ? inputs[1] : NULL, input_count > 2 ? inputs[2] : NULL };
    const char *who = getenv("USER");
    job j = { .o = o, .words = words, .who = who && *who ? who : "local" };
    tcsi_arena_init(&j.arena, 0);
    tcs_status status = found->needs_store ? open_store(o, found->makes_store, &j.store, err) : TCS_OK;
    if (status == TCS_OK) status = found->run(&j, err);
    tcsi_store_close(j.store);
    tcsi_arena_deinit(&j.arena);
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    tcs_error err = { 0 };
    const tcs_status status = run_subcommand(raw, inputs, input_count, &err);
    return status == TCS_OK ? EXIT_DONE : cli_fail("model", &err);
}

const cli_command cli_model = {
    .name = "model",
    .positional = "list|show|card|diff|verify|import|export|measure|promote|rollback|canary|remove|key [WORD...]",
    .positional_min = 1,
    .positional_max = 3,
    .summary = "keep models, compare them, and say which one decides",
    .description = "Models are kept in a store by the hash of their bytes, with a card: where they come from, who signed them. MODEL is a "
                   "hash, its beginning, or an alias such as pump/champion. `measure` scores a file with a model and keeps the figures; "
                   "`promote` makes it the champion of its name when every gate is passed on rows that both were measured on (ranks at "
                   "least as well, keeps the alarm budget, honest p-values, not much slower), or when --reason is given; `rollback NAME` "
                   "goes back to the one before. `canary start MODEL` has a challenger of the live service answer for a share of its "
                   "series until `canary stop`; `canary status` compares both groups. Every import, promotion, rollback and canary is an "
                   "entry of the audit log. `verify` names what was changed.",
    .examples = "  tocsin fit first.csv -o pump.tocsin && tocsin model import pump.tocsin --name pump\n"
                "  tocsin model measure pump/champion rest.csv && tocsin model promote 3f2a91c0\n"
                "  tocsin model rollback pump --reason 'alarms at every start'\n"
                "  tocsin model canary start challenger --share 0.5 --reason 'let us see'\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(model_options),
    .run = run,
};
