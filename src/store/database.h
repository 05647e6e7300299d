/* store/database.h -- the table of operations that SQLite and PostgreSQL implement: run a statement, read its rows, begin, commit.
 *
 * What the store does is written once above this line, in SQL that both understand; below it is only how each runs a statement, what it
 * calls its types, and what its errors mean.  So the two cannot drift apart.  Statements are a list (store/statement.h), prepared when
 * first used and kept for the life of the connection.
 * Values are 64-bit integers, text and bytes; each may be null.  One result is open at a time.
 * Threads: one user per database. */
#ifndef TCS_STORE_DATABASE_H
#define TCS_STORE_DATABASE_H

#include "store/statement.h"
#include "base/buffer.h"

typedef enum tcsi_value_kind { TCSI_VALUE_INTEGER, TCSI_VALUE_TEXT, TCSI_VALUE_BYTES } tcsi_value_kind;

typedef struct tcsi_value {
    tcsi_value_kind kind;
    bool is_null;
    int64_t integer;
    const void *bytes; /* TEXT: UTF-8 without 0 bytes; never NULL */
    size_t size;
} tcsi_value;

typedef struct tcsi_database tcsi_database;

typedef struct tcsi_database_ops {
    const char *name;        /* "SQLite" */
    const char *before, *after; /* statements before and after the schema is made or changed */
    const char *hasty, *careful; /* statements after which commits are not synced one by one, and after which they are */
    const char *type_bytes, *type_text, *type_key; /* what {bytes}, {text} and {key} are in a schema */
    /* Makes a lost connection anew; called before a scope begins.  A file has nothing to do. */
    tcs_status (*ready)(tcsi_database *database, tcs_error *err);
    /* for_reading: everything as of this moment.  Otherwise no other handle writes until commit; E_IO: one does, and for long. */
    tcs_status (*begin)(tcsi_database *database, bool for_reading, tcs_error *err);
    tcs_status (*commit)(tcsi_database *database, tcs_error *err); /* on failure nothing remains begun */
    void (*rollback)(tcsi_database *database);
    /* Binds and runs.  Rows follow by next; a statement that gives none is done when run returns. */
    tcs_status (*run)(tcsi_database *database, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcs_error *err);
    tcs_status (*next)(tcsi_database *database, bool *ret_end, tcs_error *err);
    /* Of the current row; bytes live until next.  NULL bytes: the memory for them is not there. */
    tcsi_value (*value)(tcsi_database *database, size_t column, tcsi_value_kind kind);
    void (*finish)(tcsi_database *database); /* ends the open result, if there is one */
    /* Statements without values or rows, separated by semicolons: the schema. */
    tcs_status (*script)(tcsi_database *database, const char *text, tcs_error *err);
    tcs_status (*clock)(tcsi_database *database, int64_t *ret_now_ns, tcs_error *err); /* wall clock of whoever is shared */
    tcs_status (*tend)(tcsi_database *database, tcs_error *err);
    tcs_status (*check)(tcsi_database *database, void (*each)(void *context, const char *line), void *context, tcs_error *err);
    tcs_status (*complete)(tcsi_database *database, tcs_error *err); /* the file alone holds everything, synced */
    void (*close)(tcsi_database *database);
} tcsi_database_ops;

struct tcsi_database { /* the head of each implementation */
    const tcsi_database_ops *ops;
    char *where; /* for messages, without passwords */
};

/* path: of a file.  alone, must_exist: as in tcsi_store_options. */
tcs_status tcsi_database_open_sqlite(const char *path, bool alone, bool must_exist, tcsi_database **ret_database,
                                     tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_database_open_postgresql(const char *url, tcsi_database **ret_database, tcs_error *err) TCS_WARN_UNUSED;

static inline tcsi_value tcsi_value_integer(int64_t integer)
{
    return (tcsi_value){ .kind = TCSI_VALUE_INTEGER, .integer = integer, .bytes = "" };
}

static inline tcsi_value tcsi_value_bytes(const void *bytes, size_t size)
{
    return (tcsi_value){ .kind = TCSI_VALUE_BYTES, .bytes = size ? bytes : "", .size = size };
}

tcsi_value tcsi_value_text(const char *text); /* NULL: null */

#endif
