/* apps/cmd_audit.c -- `tocsin audit`: who did what, whether that log is whole, and a copy that can be checked without the store.
 *
 * Each entry's hash covers the entry and the hash before it (store/audit.c has the bytes), so one hash that was noted elsewhere stands for
 * everything up to its entry: --head says it, and then a cut-off end shows too.  An export is one JSON object a line with everything that
 * the hash covers.  SPDX-License-Identifier: Apache-2.0 */
#include "kept.h"

#include "base/file.h"
#include "base/json.h"
#include "serve/audit_entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct audit_options {
    cli_kept kept;
    const char *head;
    size_t after, limit;
    bool json;
} audit_options;

#define AT(field) offsetof(audit_options, field)
static const cli_option options[] = {
    CLI_KEPT_OPTIONS(AT(kept)),
    { "--head", "HASH", CLI_TEXT, AT(head), "verify: a head that was noted before; its entry must be there" },
    { "--after", "N", CLI_COUNT, AT(after), "list: entries behind number N" },
    { "--limit", "N", CLI_COUNT, AT(limit), "list: at most so many; default 100, 0 among exports: all" },
    { "--json", NULL, CLI_FLAG, AT(json), "print one JSON document" },
};

enum { LINE_SIZE_MAX = 1 << 24, LIST_LIMIT = 100 };

/* ---- following the chain ---- */

typedef struct proof {
    tcsi_audit_chain chain;
    const char *head;      /* that was noted; NULL: none */
    int64_t head_sequence; /* of its entry; 0: not met */
    tcs_status status;
    tcs_error *err;
} proof;

static bool follow(void *context, const tcsi_store_audit_entry *entry)
{
    proof *p = context;
    char text[TCSI_HASH_TEXT_SIZE];
    p->status = tcsi_audit_chain_follow(&p->chain, entry, p->err);
    if (p->status != TCS_OK) return false;
    tcsi_hash_text(entry->hash, text);
    if (p->head && strcmp(text, p->head) == 0) p->head_sequence = entry->sequence;
    return true;
}

static tcs_status check_head(const proof *p, tcs_error *err)
{
    if (!p->head || p->head_sequence) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "the %lld entries hold, but none has the hash %s: the end was cut off, or the log is another one",
                     (long long)p->chain.count, p->head);
}

static void print_proof(const proof *p, bool as_json)
{
    char head[TCSI_HASH_TEXT_SIZE];
    tcsi_hash_text(p->chain.head, head);
    if (as_json) printf("{\"entries\":%lld,\"head\":\"%s\"", (long long)p->chain.count, head);
    else printf("entries  %lld, each as it was written\nhead     %s\n", (long long)p->chain.count, head);
    if (as_json) printf(p->head ? ",\"noted\":%lld}\n" : "}\n", (long long)p->head_sequence);
    else if (p->head) printf("noted    the head of entry %lld; %lld came after it\n", (long long)p->head_sequence,
                             (long long)(p->chain.count - p->head_sequence));
}

/* ---- verify ---- */

static tcs_status verify_line(proof *p, const char *line, size_t size, tcsi_arena *arena, tcs_error *err)
{
    tcsi_store_audit_entry entry;
    tcsi_arena_reset(arena);
    const tcs_status status = tcsi_audit_entry_read(line, size, arena, &entry, err);
    if (status == TCS_OK) (void)follow(p, &entry);
    return status == TCS_OK ? p->status : status;
}

static tcs_status verify_file(proof *p, const char *path, tcs_error *err)
{
    tcsi_arena arena;
    char *line = NULL, where[512];
    size_t room = 0, number = 0;
    ssize_t size = 0;
    FILE *file = fopen(path, "re");
    if (!file) return tcsi_fail(err, TCS_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
    tcsi_arena_init(&arena, LINE_SIZE_MAX);
    tcs_status status = TCS_OK;
    while (status == TCS_OK && (size = getline(&line, &room, file)) > 0) {
        number++;
        status = verify_line(p, line, (size_t)size, &arena, err);
    }
    snprintf(where, sizeof where, "%s: line %zu", path, number);
    if (status == TCS_OK && ferror(file)) status = tcsi_fail(err, TCS_E_IO, "%s: cannot be read: %s", path, strerror(errno));
    else if (status != TCS_OK) tcsi_fail_prefix(err, "%s", where);
    free(line);
    tcsi_arena_deinit(&arena);
    (void)fclose(file);
    return status;
}

static tcs_status verify_store(proof *p, const cli_kept *kept, tcs_error *err)
{
    tcsi_store *store;
    tcs_error broken = { 0 };
    tcs_status status = cli_kept_open(kept, &store, err);
    if (status != TCS_OK) return status;
    p->err = &broken;
    status = tcsi_store_audit_list(store, INT64_MIN, 0, follow, p, err);
    if (status == TCS_OK && p->status != TCS_OK) status = tcsi_fail(err, p->status, "%s: %s", tcsi_store_name(store), broken.text);
    tcsi_store_close(store);
    return status;
}

static tcs_status verify(const audit_options *o, const char *file, tcs_error *err)
{
    proof p = { .head = o->head, .err = err };
    tcs_status status = file ? verify_file(&p, file, err) : verify_store(&p, &o->kept, err);
    if (status == TCS_OK) status = check_head(&p, err);
    if (status == TCS_OK) print_proof(&p, o->json);
    return status;
}

/* ---- export and list ---- */

typedef struct printing {
    FILE *stream;
    tcsi_buffer line;
    bool is_table, has_any;
    const char *before; /* each but the first */
    tcs_status status;
    tcs_error *err;
} printing;

static bool print_entry(void *context, const tcsi_store_audit_entry *entry)
{
    printing *p = context;
    tcsi_json_writer writer;
    char time[TCSI_AUDIT_TIME_SIZE];
    tcsi_audit_entry_time(entry, time);
    if (p->is_table) {
        fprintf(p->stream, "%6lld  %-24s  %-16s  %-16s  %s  %s\n", (long long)entry->sequence, time, entry->actor, entry->action,
                entry->object, entry->detail);
        return true;
    }
    tcsi_buffer_clear(&p->line);
    tcsi_json_writer_init(&writer, &p->line, false);
    tcsi_audit_entry_write(entry, &writer);
    p->status = tcsi_json_finish(&writer, p->err);
    if (p->status == TCS_OK) fprintf(p->stream, "%s%s", p->has_any ? p->before : "", p->line.data);
    p->has_any = true;
    return p->status == TCS_OK;
}

static tcs_status print_entries(const cli_kept *kept, printing *p, int64_t after, size_t limit, tcs_error *err)
{
    tcsi_store *store;
    tcs_status status = cli_kept_open(kept, &store, err);
    if (status != TCS_OK) return status;
    p->err = err;
    tcsi_buffer_init(&p->line, LINE_SIZE_MAX);
    status = tcsi_store_audit_list(store, after, limit, print_entry, p, err);
    tcsi_buffer_deinit(&p->line);
    tcsi_store_close(store);
    return status == TCS_OK ? p->status : status;
}

static tcs_status export(const audit_options *o, const char *file, tcs_error *err)
{
    tcsi_file_writer writer;
    tcs_status status = tcsi_file_writer_open(file ? file : "-", &writer, err);
    if (status != TCS_OK) return status;
    printing p = { .stream = writer.stream, .before = "\n" };
    status = print_entries(&o->kept, &p, INT64_MIN, 0, err);
    if (status == TCS_OK && p.has_any) fputc('\n', writer.stream);
    if (status == TCS_OK) return tcsi_file_writer_commit(&writer, err);
    tcsi_file_writer_abort(&writer);
    return status;
}

static tcs_status list(const audit_options *o, const char *file, tcs_error *err)
{
    printing p = { .stream = stdout, .before = ",\n", .is_table = !o->json };
    (void)file;
    if (o->json) printf("{\"entries\":[");
    const tcs_status status = print_entries(&o->kept, &p, (int64_t)o->after, o->limit ? o->limit : LIST_LIMIT, err);
    if (o->json && status == TCS_OK) printf("]}\n");
    return status;
}

/* ---- the verbs ---- */

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const audit_options *o = raw;
    tcs_error err = { 0 };
    const char *verb = inputs[0], *file = input_count > 1 ? inputs[1] : NULL;
    unsigned char hash[TCSI_HASH_SIZE];
    tcs_status (*const todo)(const audit_options *, const char *, tcs_error *) = strcmp(verb, "verify") == 0   ? verify
                                                                               : strcmp(verb, "export") == 0 ? export
                                                                               : strcmp(verb, "list") == 0   ? list : NULL;
    if (!todo) (void)tcsi_fail(&err, TCS_E_INVALID, "'%s': expected verify [FILE], export [FILE] or list; try `tocsin audit --help`", verb);
    else if (todo == list && file) (void)tcsi_fail(&err, TCS_E_INVALID, "list: takes no file");
    else if (o->head && (todo != verify || !tcsi_audit_hash_read(o->head, hash)))
        (void)tcsi_fail(&err, TCS_E_INVALID, "--head: expected 64 hexadecimal digits, with verify");
    if (err.status != TCS_OK) return cli_fail("audit", &err);
    return todo(o, file, &err) == TCS_OK ? EXIT_DONE : cli_kept_fail("audit", &err);
}

const cli_command cli_audit = {
    .name = "audit",
    .positional = "verify [FILE]|export [FILE]|list",
    .positional_min = 1,
    .positional_max = 2,
    .summary = "read and verify the log of who did what",
    .description = "Every change that somebody makes to the live service is an entry of a log whose entries are chained by their hashes. "
                   "verify follows the chain, names the first entry that was changed, removed or put in, and prints how many there are and "
                   "the last one's hash, the head. Note it where those who run the service cannot write: with --head, a log whose end was "
                   "cut off since does not hold either. export writes one JSON object a line with everything that the hashes cover; verify "
                   "FILE checks such a file, without the store. All of it while the service runs.",
    .examples = "  tocsin audit verify --data /var/lib/tocsin\n"
                "  tocsin audit export audit.ndjson --data /var/lib/tocsin && tocsin audit verify audit.ndjson\n"
                "  tocsin audit list --after 120 --store postgresql://tocsin@db/tocsin\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(audit_options),
    .run = run,
};
