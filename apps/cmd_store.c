/* apps/cmd_store.c -- `tocsin store`: looks after what a service keeps, also while it runs.
 *
 * A backup is a store and the journal from its last snapshot on, both as of about one moment: first the store, then the journal, which so
 * has everything that the store has seen.  A service that starts from the two goes on as if it had been killed at the end of that journal.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"

#include "base/json.h"
#include "serve/erase.h"
#include "serve/keeper.h"
#include "store/journal.h"

#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct store_options {
    cli_kept kept;
    cli_texts match;
    bool also_state, json;
} store_options;

#define AT(field) offsetof(store_options, field)
static const cli_option options[] = {
    CLI_KEPT_OPTIONS(AT(kept)),
    { "--match", "MATCHER", CLI_TEXTS, AT(match),
      "erase: a matcher of tags, 'user=\"ann\"', with = != =~ !~; given several times, all must hold" },
    { "--also-state", NULL, CLI_FLAG, AT(also_state), "erase: also snapshots and journal, which hold rows of every series: the service "
                                                      "then learns anew" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON document" },
};

/* What a verb works with, and what it has to say. */
typedef struct work {
    const store_options *asked;
    const char *file; /* NULL: none was given */
    char store_path[CLI_KEPT_PATH_SIZE], journal_path[CLI_KEPT_PATH_SIZE];
    tcsi_store *store;
    tcsi_buffer out;
    tcsi_json_writer json; /* an object is open */
    size_t problem_count;
} work;

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

/* ---- saying it ---- */

static void say_count(void *context, const char *name, int64_t count)
{
    work *w = context;
    if (w->asked->json) tcsi_json_put_integer(&w->json, name, count);
    else printf("%-16s%lld\n", name, (long long)count);
}

static tcs_status say_counts(work *w, tcs_error *err)
{
    if (w->asked->json) {
        tcsi_json_key(&w->json, "rows");
        tcsi_json_begin_object(&w->json);
    }
    const tcs_status status = tcsi_store_count(w->store, say_count, w, err);
    if (w->asked->json) tcsi_json_end_object(&w->json);
    return status;
}

static void say_text(work *w, const char *name, const char *text)
{
    if (w->asked->json) tcsi_json_put_string(&w->json, name, text);
    else printf("%-16s%s\n", name, text);
}

static void say_problem(void *context, const char *line)
{
    work *w = context;
    w->problem_count++;
    if (w->asked->json) tcsi_json_string(&w->json, line);
    else printf("damaged: %s\n", line);
}

/* ---- the journal ---- */

typedef struct journal_span {
    uint64_t first, next; /* records [first, next); both 0: none */
} journal_span;

static tcs_status read_journal(const char *folder, journal_span *ret_span, tcs_error *err)
{
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    bool is_end = false;
    *ret_span = (journal_span){ 0, 0 };
    tcs_status status = tcsi_journal_cursor_open(folder, 0, &cursor, err);
    if (status != TCS_OK) return status;
    while ((status = tcsi_journal_cursor_next(cursor, &record, &is_end, err)) == TCS_OK && !is_end) {
        if (ret_span->next && record.sequence != ret_span->next) {
            status = tcsi_fail(err, TCS_E_FORMAT, "%s: records %llu to %llu are missing", folder, (unsigned long long)ret_span->next,
                               (unsigned long long)record.sequence - 1);
            break;
        }
        if (!ret_span->first) ret_span->first = record.sequence;
        ret_span->next = record.sequence + 1;
    }
    tcsi_journal_cursor_close(cursor);
    return status;
}

static bool keep_newest(void *context, const tcsi_store_snapshot *snapshot)
{
    if (!snapshot->is_sound) return true;
    *(uint64_t *)context = snapshot->position;
    return false;
}

/* The record that the newest sound snapshot contains last; 0: there is none. */
static tcs_status find_position(tcsi_store *store, uint64_t *ret_position, tcs_error *err)
{
    *ret_position = 0;
    return tcsi_store_snapshot_list(store, TCSI_KEEPER_SNAPSHOT, keep_newest, ret_position, err);
}

/* A copy that did not become whole. */
static void remove_copy(const char *folder)
{
    tcs_error ignored;
    (void)!tcsi_journal_remove(folder, &ignored);
    (void)rmdir(folder);
}

/* ---- backup ---- */

static tcs_status back_up_journal(work *w, const char *folder, tcs_error *err)
{
    tcsi_store *copy;
    uint64_t position, next;
    char text[80];
    if (is_folder(folder)) return tcsi_fail(err, TCS_E_INVALID, "%s: is there already; a backup replaces nothing", folder);
    tcs_status status = tcsi_store_open(w->file, &(tcsi_store_options){ .must_exist = true }, &copy, err);
    if (status != TCS_OK) return status;
    status = find_position(copy, &position, err);
    tcsi_store_close(copy);
    if (status == TCS_OK) status = tcsi_journal_copy(w->journal_path, position + 1, folder, &next, err);
    if (status != TCS_OK) {
        remove_copy(folder);
        return status;
    }
    snprintf(text, sizeof text, "%llu records from %llu on", (unsigned long long)(next - position - 1), (unsigned long long)position + 1);
    say_text(w, "journal", folder);
    say_text(w, "journal_records", text);
    return TCS_OK;
}

static tcs_status back_up(work *w, tcs_error *err)
{
    char folder[CLI_KEPT_PATH_SIZE];
    uint64_t first, last = 0;
    if ((size_t)snprintf(folder, sizeof folder, "%s.journal", w->file) >= sizeof folder)
        return tcsi_fail(err, TCS_E_INVALID, "%s: the path is too long", w->file);
    tcs_status status = tcsi_store_open(w->store_path, &(tcsi_store_options){ .must_exist = true, .as_is = true }, &w->store, err);
    if (status == TCS_OK) status = tcsi_store_backup(w->store, w->file, err);
    if (status != TCS_OK) return status;
    say_text(w, "backup", w->file);
    status = tcsi_store_batch_ends(w->store, &first, &last, err);
    if (status != TCS_OK) return status;
    if (last > 0) {
        say_text(w, "journal", "in it: processes that stand by for each other keep it in the store");
        return say_counts(w, err);
    }
    if (!is_folder(w->journal_path)) {
        say_text(w, "journal", "not in it, for want of --data: what starts from this begins at its last snapshot");
        return say_counts(w, err);
    }
    status = back_up_journal(w, folder, err);
    if (status != TCS_OK) (void)unlink(w->file);
    return status == TCS_OK ? say_counts(w, err) : status;
}

/* ---- restore ---- */

/* What a backup says of the journal that belongs to it. */
typedef struct backup_facts {
    char folder[CLI_KEPT_PATH_SIZE];
    bool has_folder;
    uint64_t position;   /* of its last snapshot */
    uint64_t batch_last; /* of the journal that is in the store; 0: none is */
} backup_facts;

static tcs_status check_backup(work *w, backup_facts *ret_facts, tcs_error *err)
{
    tcsi_store *backup;
    uint64_t first;
    if ((size_t)snprintf(ret_facts->folder, sizeof ret_facts->folder, "%s.journal", w->file) >= sizeof ret_facts->folder)
        return tcsi_fail(err, TCS_E_INVALID, "%s: the path is too long", w->file);
    tcs_status status = tcsi_store_open(w->file, &(tcsi_store_options){ .must_exist = true, .as_is = true }, &backup, err);
    if (status != TCS_OK) return status;
    status = tcsi_store_check(backup, NULL, NULL, err);
    if (status == TCS_OK) status = find_position(backup, &ret_facts->position, err);
    if (status == TCS_OK) status = tcsi_store_batch_ends(backup, &first, &ret_facts->batch_last, err);
    tcsi_store_close(backup);
    ret_facts->has_folder = is_folder(ret_facts->folder);
    if (status == TCS_OK && ret_facts->batch_last && strncmp(w->store_path, "postgres", 8) != 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s is of processes that stand by for each other; expected --store postgresql://...", w->file);
    if (status == TCS_OK && ret_facts->has_folder && !*w->journal_path)
        return tcsi_fail(err, TCS_E_INVALID, "%s belongs to the backup; expected --data FOLDER, which gets it", ret_facts->folder);
    return status;
}

static tcs_status restore_into(work *w, const backup_facts *facts, tcs_error *err)
{
    uint64_t next = 0;
    tcs_status status = TCS_OK;
    const bool needs_folder = *w->journal_path && !facts->batch_last;
    const char *from = facts->has_folder ? facts->folder : NULL;
    if (needs_folder) status = tcsi_journal_copy(from, facts->position + 1, w->journal_path, &next, err);
    if (status != TCS_OK) return status; /* what is there may be somebody's */
    status = tcsi_store_restore(w->store, w->file, err);
    if (status != TCS_OK && needs_folder) remove_copy(w->journal_path);
    if (status != TCS_OK) return status;
    say_text(w, "restored", w->store_path);
    say_text(w, "journal", facts->batch_last  ? "in the store: start it with --standby"
                           : facts->has_folder ? w->journal_path
                                               : "begun behind the last snapshot: what came after that one is not judged again");
    return say_counts(w, err);
}

static tcs_status restore(work *w, tcs_error *err)
{
    backup_facts facts = { .position = 0 };
    tcs_status status = check_backup(w, &facts, err);
    if (status != TCS_OK) return status;
    if (*w->journal_path) {
        char folder[CLI_KEPT_PATH_SIZE];
        snprintf(folder, sizeof folder, "%s", w->journal_path);
        *strrchr(folder, '/') = 0;
        (void)mkdir(folder, 0750); /* one that cannot be made is named when the store is opened */
    }
    status = tcsi_store_open(w->store_path, &(tcsi_store_options){ .alone = true }, &w->store, err);
    return status == TCS_OK ? restore_into(w, &facts, err) : status;
}

/* ---- check ---- */

static tcs_status check_journal(work *w, tcs_error *err)
{
    journal_span span;
    uint64_t position = 0;
    char line[sizeof err->text + 64];
    tcs_status status = read_journal(w->journal_path, &span, err);
    if (status == TCS_E_FORMAT) {
        say_problem(w, err->text);
        return TCS_OK;
    }
    if (status == TCS_OK) status = find_position(w->store, &position, err);
    if (status != TCS_OK) return status == TCS_E_FORMAT ? TCS_OK : status; /* said already */
    if (span.first > position + 1) {
        snprintf(line, sizeof line, "%s: records %llu to %llu, which the last snapshot does not have, are missing", w->journal_path,
                 (unsigned long long)position + 1, (unsigned long long)span.first - 1);
        say_problem(w, line);
    }
    return TCS_OK;
}

static tcs_status check(work *w, tcs_error *err)
{
    if (w->asked->json) {
        tcsi_json_key(&w->json, "damaged");
        tcsi_json_begin_array(&w->json);
    }
    tcs_status status = cli_kept_open(&w->asked->kept, &w->store, err);
    if (status == TCS_OK) status = tcsi_store_check(w->store, say_problem, w, err);
    if (status == TCS_E_FORMAT && w->problem_count == 0) say_problem(w, err->text); /* it could not even be opened */
    if (w->store && (status == TCS_OK || status == TCS_E_FORMAT) && is_folder(w->journal_path)) status = check_journal(w, err);
    if (w->asked->json) tcsi_json_end_array(&w->json);
    if (status != TCS_OK && status != TCS_E_FORMAT) return status;
    if (w->problem_count) return tcsi_fail(err, TCS_E_FORMAT, "%s: %zu %s", w->store_path, w->problem_count,
                                           w->problem_count == 1 ? "damage" : "damages");
    int64_t count;
    unsigned char head[TCSI_HASH_SIZE];
    char hash[TCSI_HASH_TEXT_SIZE];
    status = tcsi_store_audit_verify(w->store, &count, head, err);
    if (status != TCS_OK) return status;
    tcsi_hash_text(head, hash);
    say_text(w, "sound", w->store_path);
    say_count(w, "audit_entries", count);
    say_text(w, "audit_head", hash);
    return TCS_OK;
}

/* ---- info ---- */

static tcs_status tell(work *w, tcs_error *err)
{
    journal_span span;
    uint64_t position = 0;
    char text[80];
    tcs_status status = cli_kept_open(&w->asked->kept, &w->store, err);
    if (status != TCS_OK) return status;
    say_text(w, "store", tcsi_store_name(w->store));
    status = say_counts(w, err);
    if (status == TCS_OK) status = find_position(w->store, &position, err);
    if (status != TCS_OK) return status;
    say_count(w, "last_snapshot", (int64_t)position);
    if (!is_folder(w->journal_path)) return TCS_OK;
    status = read_journal(w->journal_path, &span, err);
    if (status != TCS_OK) return status;
    snprintf(text, sizeof text, span.next ? "records %llu to %llu" : "no records", (unsigned long long)span.first,
             (unsigned long long)span.next - 1);
    say_text(w, "journal", text);
    return TCS_OK;
}

/* ---- erase ---- */

static tcs_status erase(work *w, tcs_error *err)
{
    tcsi_erase_report report = { 0 };
    const struct passwd *user = getpwuid(geteuid());
    const tcsi_erase_order order = { .matchers = w->asked->match.items, .matcher_count = w->asked->match.count,
                                     .journal = is_folder(w->journal_path) ? w->journal_path : NULL, .also_state = w->asked->also_state,
                                     .who = user ? user->pw_name : "" };
    tcs_status status = tcsi_store_open(w->store_path, &(tcsi_store_options){ .alone = true, .must_exist = true }, &w->store, err);
    if (status == TCS_OK) status = tcsi_erase(w->store, &order, &report, err);
    if (status != TCS_OK) return status;
    say_count(w, "series", (int64_t)report.series_count);
    say_count(w, "blocks", (int64_t)report.erased.block_count);
    say_count(w, "records", (int64_t)report.erased.record_count);
    say_count(w, "incidents", (int64_t)report.incident_count);
    say_count(w, "labels", (int64_t)report.erased.label_count);
    say_count(w, "messages", (int64_t)report.erased.message_count);
    say_text(w, "state", report.has_state ? "snapshots and journal may hold something of them yet; --also-state removes those"
                                          : "there is none that could hold anything of them");
    return TCS_OK;
}

/* ---- the verbs ---- */

static const struct verb {
    const char *name;
    bool needs_file;
    tcs_status (*run)(work *w, tcs_error *err);
} verbs[] = { { "backup", true, back_up }, { "restore", true, restore }, { "check", false, check }, { "info", false, tell },
              { "erase", false, erase } };

static const struct verb *find_verb(const store_options *o, const char *const *inputs, size_t input_count, tcs_error *err)
{
    const struct verb *verb = NULL;
    for (size_t i = 0; i < TCS_COUNT(verbs); i++)
        if (strcmp(verbs[i].name, inputs[0]) == 0) verb = &verbs[i];
    if (!verb)
        (void)tcsi_fail(err, TCS_E_INVALID,
                        "'%s': expected backup FILE, restore FILE, check, info or erase; try `tocsin store --help`", inputs[0]);
    else if (verb->needs_file != (input_count == 2))
        (void)tcsi_fail(err, TCS_E_INVALID, verb->needs_file ? "%s: expected a FILE" : "%s: takes no file", inputs[0]);
    else if ((verb->run == erase) != (o->match.count > 0))
        (void)tcsi_fail(err, TCS_E_INVALID, verb->run == erase ? "erase: expected --match, such as 'user=\"ann\"'"
                                                               : "%s: --match is for erase", inputs[0]);
    return err->status == TCS_OK ? verb : NULL;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const store_options *o = raw;
    tcs_error err = { 0 }, unwritten;
    work w = { .asked = o, .file = input_count > 1 ? inputs[1] : NULL };
    const struct verb *verb = find_verb(o, inputs, input_count, &err);
    if (!verb || cli_kept_places(&o->kept, w.store_path, w.journal_path, &err) != TCS_OK) return cli_fail("store", &err);
    tcsi_buffer_init(&w.out, 1 << 24);
    tcsi_json_writer_init(&w.json, &w.out, true);
    tcsi_json_begin_object(&w.json);
    const tcs_status status = verb->run(&w, &err);
    tcsi_store_close(w.store);
    if (o->json && (status == TCS_OK || w.problem_count)) {
        tcsi_json_end_object(&w.json);
        if (tcsi_json_finish(&w.json, &unwritten) == TCS_OK) printf("%s\n", w.out.data);
    }
    tcsi_buffer_deinit(&w.out);
    return status == TCS_OK ? EXIT_DONE : cli_kept_fail("store", &err);
}

const cli_command cli_store = {
    .name = "store",
    .positional = "backup FILE|restore FILE|check|info|erase",
    .positional_min = 1,
    .positional_max = 2,
    .summary = "back up, restore, check and erase what the live service keeps",
    .description = "backup FILE writes everything into FILE, one SQLite file whatever the store is, and the journal behind its last "
                   "snapshot into FILE.journal, while the service runs. restore FILE checks such a backup and puts it into a folder or a "
                   "server where there is nothing; it replaces nothing. check reads everything: pages, the seals of blocks, labels and "
                   "snapshots, the chain of the audit log, every record of the journal, and names each damage by its place. info says what "
                   "there is. "
                   "erase removes every series whose tags match, with its blocks, episodes and what was to be said of them; answers about "
                   "them become tombstones. The service must be stopped for restore and erase.",
    .examples = "  tocsin store backup /backup/tocsin-monday.db --data /var/lib/tocsin\n"
                "  tocsin store restore /backup/tocsin-monday.db --data /var/lib/tocsin-new\n"
                "  tocsin store check --data /var/lib/tocsin\n"
                "  tocsin store info --store postgresql://tocsin@db/tocsin --json\n"
                "  tocsin store erase --match 'user=\"ann\"' --also-state\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(store_options),
    .run = run,
};
