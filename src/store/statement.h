/* store/statement.h -- every SQL statement of the store, in one list, in the words that SQLite (3.35) and PostgreSQL (9.5) share.
 *
 * Shared are: `insert ... on conflict`, `returning`, row values, `filter`, parameters written $1.  All numbers are 64-bit integers, all
 * limits parameters.  Each is prepared once per connection; a test prepares them all on both.
 * TCSI_TABLE_LIST holds the tables by which a backup is copied: name, columns, parameters, kinds of the columns (i integer, t text,
 * b bytes), order.  Threads: constants only. */
#ifndef TCS_STORE_STATEMENT_H
#define TCS_STORE_STATEMENT_H

#define TCSI_TABLE_LIST(X)                                                                                                             \
    X(SETTING, "setting", "name, value", "$1, $2", "tt", "name")                                                                       \
    X(SERIES, "series", "id, digest, tags, text, first_seen_ns", "$1, $2, $3, $4, $5", "ibbti", "id")                                  \
    X(BLOCK, "block", "series_id, kind, first_ns, last_ns, row_count, seal, bytes", "$1, $2, $3, $4, $5, $6, $7", "iiiiiib",           \
      "series_id, kind, first_ns")                                                                                                     \
    X(RECORD, "record", "kind, id, series_id, state, begin_ns, end_ns, updated_ns, document", "$1, $2, $3, $4, $5, $6, $7, $8",        \
      "itiiiiit", "kind, id")                                                                                                          \
    X(LABEL, "label", "sequence, id, episode_id, verdict, author, time_ns, undoes, document, seal", "$1, $2, $3, $4, $5, $6, $7, $8, $9", \
      "ittttitti", "sequence")                                                                                                       \
    X(MODEL, "model", "hash, size, created_ns, document, bytes", "$1, $2, $3, $4, $5", "tiitb", "hash")                                \
    X(ALIAS, "alias", "name, hash", "$1, $2", "tt", "name")                                                                            \
    X(OUTBOX, "outbox", "receiver, id, payload, trace, due_ns, attempt_count, state, ended_ns, error",                                 \
      "$1, $2, $3, $4, $5, $6, $7, $8, $9", "ttbtiiiit", "receiver, id")                                                               \
    X(AUDIT, "audit", "sequence, id, time_ns, actor, action, object, detail, hash", "$1, $2, $3, $4, $5, $6, $7, $8", "itittttb",      \
      "sequence")                                                                                                                      \
    X(SNAPSHOT, "snapshot", "name, number, position, time_ns, part_count, size, is_complete", "$1, $2, $3, $4, $5, $6, $7", "tiiiiii", \
      "name, number")                                                                                                                  \
    X(PART, "snapshot_part", "name, number, part, seal, size, bytes", "$1, $2, $3, $4, $5, $6", "tiiiib", "name, number, part")        \
    X(JOURNAL, "journal", "first, last, token, seal, bytes", "$1, $2, $3, $4, $5", "iiiib", "first")

#define TCSI_SQL_RECORD_COLUMNS "select kind, id, series_id, state, begin_ns, end_ns, updated_ns, document from record "
#define TCSI_SQL_RECORD_PAGE                                                                                              \
    "and state between $2 and $3 and end_ns >= $4 and begin_ns <= $5 and (begin_ns, id) < ($6, $7) order by begin_ns desc, id desc limit $8"

#define TCSI_STATEMENT_LIST(X)                                                                                                         \
    X(META_GET, "select value from meta where name = $1")                                                                              \
    X(META_SET, "insert into meta(name, value) values ($1, $2) on conflict (name) do update set value = excluded.value")               \
    X(SETTING_GET, "select value from setting where name = $1")                                                                        \
    X(SETTING_SET, "insert into setting(name, value) values ($1, $2) on conflict (name) do update set value = excluded.value")         \
    X(SETTING_UNSET, "delete from setting where name = $1")                                                                            \
    X(SERIES_FIND, "select id, tags from series where digest = $1")                                                                    \
    X(SERIES_PUT, "insert into series(id, digest, tags, text, first_seen_ns) "                                                         \
                  "values ((select coalesce(max(id), 0) + 1 from series), $1, $2, $3, $4) returning id")                               \
    X(SERIES_LIST, "select id, tags, text, first_seen_ns from series where id > $1 order by id limit $2")                              \
    X(BLOCK_PUT, "insert into block(series_id, kind, first_ns, last_ns, row_count, seal, bytes) values ($1, $2, $3, $4, $5, $6, $7) "  \
                 "on conflict (series_id, kind, first_ns) do update set last_ns = excluded.last_ns, row_count = excluded.row_count, "  \
                 "seal = excluded.seal, bytes = excluded.bytes")                                                                       \
    X(BLOCK_LIST, "select first_ns, last_ns, row_count, seal, bytes from block "                                                       \
                  "where series_id = $1 and kind = $2 and first_ns <= $4 and last_ns >= $3 order by first_ns")                         \
    X(BLOCK_SCAN, "select series_id, kind, first_ns, last_ns, row_count, seal, bytes from block order by series_id, kind, first_ns")   \
    X(BLOCK_FORGET, "delete from block where (series_id, kind, first_ns) in "                                                          \
                    "(select series_id, kind, first_ns from block where kind = $1 and last_ns < $2 order by last_ns limit $3) "        \
                    "returning series_id")                                                                                             \
    X(RECORD_PUT, "insert into record(kind, id, series_id, state, begin_ns, end_ns, updated_ns, document) "                            \
                  "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (kind, id) do update set series_id = excluded.series_id, "      \
                  "state = excluded.state, begin_ns = excluded.begin_ns, end_ns = excluded.end_ns, "                                   \
                  "updated_ns = excluded.updated_ns, document = excluded.document")                                                    \
    X(RECORD_ERASABLE, "select id from record where kind = 1 and series_id = $1 order by id")                                          \
    X(RECORD_ERASE, "delete from record where series_id = $1 returning kind")                                                          \
    X(BLOCK_ERASE, "delete from block where series_id = $1 returning kind")                                                            \
    X(SERIES_ERASE, "delete from series where id = $1")                                                                                \
    X(OUTBOX_ERASE, "delete from outbox where receiver = $1 and id = $2")                                                              \
    X(RECORD_REMOVE, "delete from record where kind = $1 and id = $2")                                                                 \
    X(RECORD_GET, TCSI_SQL_RECORD_COLUMNS "where kind = $1 and id = $9 " TCSI_SQL_RECORD_PAGE)                                         \
    X(RECORD_LIST, TCSI_SQL_RECORD_COLUMNS "where kind = $1 " TCSI_SQL_RECORD_PAGE)                                                    \
    X(RECORD_LIST_SERIES, TCSI_SQL_RECORD_COLUMNS "where kind = $1 and series_id = $9 " TCSI_SQL_RECORD_PAGE)                          \
    X(LABEL_FIND, "select undoes from label where id = $1")                                                                            \
    X(LABEL_FIND_UNDO, "select id from label where undoes = $1")                                                                       \
    X(LABEL_NEXT, "select coalesce(max(sequence), 0) + 1 from label")                                                                  \
    X(LABEL_PUT, "insert into label(sequence, id, episode_id, verdict, author, time_ns, undoes, document, seal) "                      \
                 "values ($1, $2, $3, $4, $5, $6, $7, $8, $9)")                                                                        \
    X(LABEL_ERASABLE, "select sequence, id, time_ns, undoes from label "                                                               \
                      "where episode_id in (select id from record where kind = 1 and series_id = $1) order by sequence")               \
    X(LABEL_ERASE, "update label set episode_id = '', verdict = '', author = '', document = $2, seal = $3 where sequence = $1")        \
    X(LABEL_LIST, "select sequence, id, episode_id, verdict, author, time_ns, undoes, document, "                                      \
                  "(select count(*) from label u where u.undoes = label.id) from label where sequence > $1 order by sequence limit $2") \
    X(LABEL_LIST_EPISODE, "select sequence, id, episode_id, verdict, author, time_ns, undoes, document, "                              \
                          "(select count(*) from label u where u.undoes = label.id) from label "                                       \
                          "where sequence > $1 and episode_id = $3 order by sequence limit $2")                                        \
    X(MODEL_PUT, "insert into model(hash, size, created_ns, document, bytes) values ($1, $2, $3, $4, $5) on conflict (hash) do nothing") \
    X(MODEL_FIND, "select size from model where hash = $1")                                                                            \
    X(MODEL_GET, "select hash, bytes from model where hash = coalesce((select hash from alias where name = $1), $1)")                  \
    X(MODEL_LIST, "select hash, size, created_ns, document from model order by created_ns, hash")                                      \
    X(MODEL_SCAN, "select hash, bytes from model order by hash")                                                                       \
    X(MODEL_REMOVE, "delete from model where hash = $1")                                                                               \
    X(ALIAS_GET, "select hash from alias where name = $1")                                                                             \
    X(ALIAS_OF, "select name from alias where hash = $1 order by name")                                                                \
    X(ALIAS_SET, "insert into alias(name, hash) values ($1, $2) on conflict (name) do update set hash = excluded.hash")                \
    X(ALIAS_UNSET, "delete from alias where name = $1")                                                                                \
    X(OUTBOX_PUT, "insert into outbox(receiver, id, payload, trace, due_ns, attempt_count, state, ended_ns, error) "                   \
                  "values ($1, $2, $3, $4, $5, 0, 0, 0, '') on conflict (receiver, id) do nothing")                                    \
    X(OUTBOX_DUE, "select id, payload, trace, due_ns, attempt_count, error from outbox "                                               \
                  "where receiver = $1 and state = 0 and due_ns <= $2 order by due_ns, id limit $3")                                   \
    X(OUTBOX_DONE, "update outbox set state = 1, ended_ns = $3, attempt_count = attempt_count + 1, payload = $4 "                      \
                   "where receiver = $1 and id = $2 and state = 0")                                                                    \
    X(OUTBOX_REPLACE, "update outbox set state = case when ended_ns > 0 then 1 else 3 end, "                                           \
                      "ended_ns = case when ended_ns > 0 then ended_ns else $3 end, payload = $4 "                                     \
                      "where receiver = $1 and id = $2 and state = 0")                                                                 \
    X(OUTBOX_RECEIVER, "select receiver from outbox where receiver > $1 order by receiver limit 1")                                    \
    X(OUTBOX_TOLD, "select id, trace, due_ns, attempt_count, state, ended_ns, error from outbox "                                      \
                   "where receiver = $1 and id >= $2 and id < $3 order by id")                                                         \
    X(OUTBOX_RETRY, "update outbox set state = $3, due_ns = $4, ended_ns = case when $5 > 0 then $5 else ended_ns end, "               \
                    "error = $6, attempt_count = attempt_count + 1 "                                                                   \
                    "where receiver = $1 and id = $2 and state = 0")                                                                   \
    X(OUTBOX_STAT, "select count(*) filter (where state = 0), count(*) filter (where state = 2), "                                     \
                   "coalesce(min(due_ns) filter (where state = 0), 9223372036854775807) from outbox "                                  \
                   "where receiver = $1 and state in (0, 2)")                                                                          \
    X(OUTBOX_FORGET, "delete from outbox where state <> 0 and ended_ns < $1 returning attempt_count")                                  \
    X(AUDIT_FIND, "select sequence from audit where id = $1")                                                                          \
    X(AUDIT_LAST, "select sequence, hash from audit order by sequence desc limit 1")                                                   \
    X(AUDIT_PUT, "insert into audit(sequence, id, time_ns, actor, action, object, detail, hash) "                                      \
                 "values ($1, $2, $3, $4, $5, $6, $7, $8)")                                                                            \
    X(AUDIT_LIST, "select sequence, id, time_ns, actor, action, object, detail, hash from audit "                                      \
                  "where sequence > $1 order by sequence limit $2")                                                                    \
    X(AUDIT_OF, "select sequence, id, time_ns, actor, action, object, detail, hash from audit "                                            \
                "where action = $1 and ($2 = '' or object = $2) order by sequence")                                                        \
    X(SNAPSHOT_BEGIN, "insert into snapshot(name, number, position, time_ns, part_count, size, is_complete) "                          \
                      "values ($1, (select coalesce(max(number), 0) + 1 from snapshot where name = $1), $2, $3, 0, 0, 0) "             \
                      "returning number")                                                                                              \
    X(SNAPSHOT_FIND, "select position, time_ns, part_count, size, is_complete from snapshot where name = $1 and number = $2")          \
    X(SNAPSHOT_NEXT, "select number, position, time_ns, part_count, size, is_complete from snapshot "                                  \
                     "where name = $1 and number < $2 order by number desc limit 1")                                                   \
    X(SNAPSHOT_PART, "insert into snapshot_part(name, number, part, seal, size, bytes) values ($1, $2, $3, $4, $5, $6) "               \
                     "on conflict (name, number, part) do update set seal = excluded.seal, size = excluded.size, bytes = excluded.bytes") \
    X(SNAPSHOT_PARTS, "select part, seal, size, bytes from snapshot_part where name = $1 and number = $2 order by part")               \
    X(SNAPSHOT_COUNT, "select count(*), coalesce(max(part), -1) + 1, cast(coalesce(sum(size), 0) as bigint) from snapshot_part "       \
                      "where name = $1 and number = $2")                                                                               \
    X(SNAPSHOT_END, "update snapshot set is_complete = 1, part_count = $3, size = $4 where name = $1 and number = $2")                 \
    X(SNAPSHOT_KEPT, "select number from snapshot where name = $1 and is_complete = 1 order by number desc limit 1 offset $2")         \
    X(SNAPSHOT_FORGET, "delete from snapshot where name = $1 and number >= $2 and number < $3")                                        \
    X(SNAPSHOT_FORGET_PARTS, "delete from snapshot_part where name = $1 and number >= $2 and number < $3")                             \
    X(SNAPSHOT_NAMES, "select distinct name from snapshot order by name")                                                              \
    X(LEASE_TAKE, "insert into lease(name, holder, token, until_ns) values ($1, $2, 1, $3) on conflict (name) do update "              \
                  "set token = lease.token + case when lease.holder = $2 and lease.until_ns > $4 then 0 else 1 end, "                  \
                  "holder = $2, until_ns = $3 where lease.holder = $2 or lease.until_ns <= $4 returning token")                        \
    X(LEASE_RELEASE, "update lease set until_ns = 0 where name = $1 and holder = $2")                                                  \
    X(LEASE_TOKEN, "select token from lease where name = $1")                                                                          \
    X(LEASE_READ, "select holder, token, until_ns, mark from lease where name = $1")                                                   \
    X(LEASE_MARK, "update lease set mark = $3 where name = $1 and token = $2 and mark < $3")                                           \
    X(BATCH_PUT, "insert into journal(first, last, token, seal, bytes) values ($1, $2, $3, $4, $5) "                                   \
                 "on conflict (first) do nothing returning first")                                                                     \
    X(BATCH_FIND, "select token, seal from journal where first = $1")                                                                  \
    X(BATCH_LIST, "select first, last, token, seal, bytes from journal where last >= $1 and "                                          \
                  "first >= coalesce((select max(first) from journal where first <= $1), 0) order by first limit $2")                  \
    X(BATCH_ENDS, "select coalesce((select first from journal order by first limit 1), 0), "                                           \
                  "coalesce((select last from journal order by first desc limit 1), 0)")                                               \
    X(BATCH_FORGET, "delete from journal where last < $1")                                                                             \
    X(BATCH_REMOVE, "delete from journal")                                                                                             \
    X(LEASE_FORGET_MARKS, "update lease set mark = 0")

typedef enum tcsi_statement {
#define X(name, text) TCSI_SQL_##name,
    TCSI_STATEMENT_LIST(X)
#undef X
#define X(name, ...) TCSI_SQL_COPY_OUT_##name, TCSI_SQL_COPY_IN_##name, TCSI_SQL_COUNT_##name,
    TCSI_TABLE_LIST(X)
#undef X
    TCSI_STATEMENT_COUNT
} tcsi_statement;

/* The tables in the order of TCSI_TABLE_LIST. */
typedef struct tcsi_table {
    const char *name, *kinds;
    tcsi_statement copy_out, copy_in, count;
} tcsi_table;

enum { TCSI_TABLE_COUNT = 12, TCSI_COLUMN_COUNT_MAX = 9 };

extern const char *const tcsi_statement_texts[TCSI_STATEMENT_COUNT];
extern const tcsi_table tcsi_tables[TCSI_TABLE_COUNT];

#endif
