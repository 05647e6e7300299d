/* SPDX-License-Identifier: Apache-2.0 */
#include "store/statement.h"

const char *const tcsi_statement_texts[TCSI_STATEMENT_COUNT] = {
#define X(name, text) text,
    TCSI_STATEMENT_LIST(X)
#undef X
#define X(id, table, columns, parameters, kinds, order)        \
    "select " columns " from " table " order by " order,       \
    "insert into " table "(" columns ") values (" parameters ")", \
    "select count(*) from " table,
    TCSI_TABLE_LIST(X)
#undef X
};

const tcsi_table tcsi_tables[TCSI_TABLE_COUNT] = {
#define X(id, table, columns, parameters, kinds, order) \
    { table, kinds, TCSI_SQL_COPY_OUT_##id, TCSI_SQL_COPY_IN_##id, TCSI_SQL_COUNT_##id },
    TCSI_TABLE_LIST(X)
#undef X
};
