/* store/inside.h -- what the files of this room share: the handle, and how an operation runs in a scope (store.c).
 *
 *     status = enter(store, true, &scope, err);   joins the open scope or begins one
 *     if (status == TCS_OK) ... run, run ...
 *     return leave(store, scope, status, err);    commits or undoes its own; breaks the one it joined
 */
#ifndef TCS_STORE_INSIDE_H
#define TCS_STORE_INSIDE_H

#include "store/database.h"
#include "store/store.h"

struct tcsi_store {
    tcsi_database *database;
    bool begun;            /* a scope of the caller's is open */
    bool inside;           /* an operation is at work: callbacks must not use the store */
    tcs_error broken;      /* of the open scope; status TCS_OK: it is not */
    char *fence_lease;     /* NULL: none */
    int64_t fence_token;
    tcsi_buffer packed;    /* room for a part of a snapshot */
};

typedef enum tcsi_scope { TCSI_SCOPE_JOINED, TCSI_SCOPE_OWN, TCSI_SCOPE_NONE } tcsi_scope;
typedef enum tcsi_purpose {
    TCSI_TO_READ,      /* one statement that only reads needs no scope */
    TCSI_TO_READ_MUCH, /* several: as of one moment */
    TCSI_TO_CHANGE,
} tcsi_purpose;

tcs_status tcsi_store_enter(tcsi_store *store, tcsi_purpose purpose, tcsi_scope *ret_scope, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_store_leave(tcsi_store *store, tcsi_scope scope, tcs_status status, tcs_error *err) TCS_WARN_UNUSED;

/* Inside: runs a statement and gives its rows to each, until it answers false or the rows end.  each NULL: rows do not matter. */
typedef struct tcsi_rows {
    tcsi_database *database;
    tcs_status status; /* of reading values: TCS_E_MEMORY where one could not be had */
} tcsi_rows;
/* Values of the current row; texts end with 0.  "" and 0 for null. */
int64_t tcsi_rows_integer(tcsi_rows *rows, size_t column);
const char *tcsi_rows_text(tcsi_rows *rows, size_t column);
const void *tcsi_rows_bytes(tcsi_rows *rows, size_t column, size_t *ret_size);

/* Answers whether to go on; sets *ret_status to fail. */
typedef bool (*tcsi_rows_each)(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err);
tcs_status tcsi_store_run(tcsi_store *store, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcsi_rows_each each,
                          void *context, tcs_error *err) TCS_WARN_UNUSED;

/* Whole operations of one statement: enter, run, leave. */
tcs_status tcsi_store_change(tcsi_store *store, tcsi_statement statement, const tcsi_value *values, size_t value_count,
                             tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_store_read(tcsi_store *store, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcsi_rows_each each,
                           void *context, tcs_error *err) TCS_WARN_UNUSED;

/* Inside: the first integer of the first row; *ret_found false: no row. */
tcs_status tcsi_store_ask(tcsi_store *store, tcsi_statement statement, const tcsi_value *values, size_t value_count, int64_t *ret_number,
                          bool *ret_found, tcs_error *err) TCS_WARN_UNUSED;

bool tcsi_store_count_row(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err); /* a tcsi_rows_each; context: size_t */

/* Over where bytes belong, and the bytes. */
uint64_t tcsi_store_seal(const int64_t *place, size_t place_count, const void *bytes, size_t size);

uint64_t tcsi_store_label_seal(const tcsi_store_label *label);

/* A limit of 0 means all. */
tcsi_value tcsi_value_limit(size_t limit);

#endif
