/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/outcome.h"

typedef struct row {
    const char *name, *help;
    tcsi_outcome_class class;
} row;

static const row rows[] = {
#define X(name, word, class, help) { word, help, TCSI_OUTCOME_##class },
    TCSI_OUTCOME_LIST(X)
#undef X
};

const char *tcsi_outcome_name(tcsi_outcome outcome)
{
    return rows[outcome].name;
}

const char *tcsi_outcome_help(tcsi_outcome outcome)
{
    return rows[outcome].help;
}

tcsi_outcome_class tcsi_outcome_class_of(tcsi_outcome outcome)
{
    return rows[outcome].class;
}
