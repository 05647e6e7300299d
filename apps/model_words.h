/* apps/model_words.h -- what `tocsin model` says of models: for people, and as JSON. */
#ifndef TOCSIN_APPS_MODEL_WORDS_H
#define TOCSIN_APPS_MODEL_WORDS_H

#include "serve/models/models.h"

/* One line of a list, and one object of it. */
void cli_model_line(const tcsi_model *model);
void cli_model_write(const tcsi_model *model, tcsi_json_writer *writer);
/* Everything: card, evidence; Markdown that is made from what was measured. */
tcs_status cli_model_page(tcsi_store *store, const tcsi_model *model, FILE *out, tcs_error *err) TCS_WARN_UNUSED;
/* What of the cards differs, key by key: "parameters.window: 64 -> 128". */
tcs_status cli_model_differences(const tcsi_model *a, const tcsi_model *b, tcs_error *err) TCS_WARN_UNUSED;
void cli_model_gates(const tcsi_model_gate *gates, size_t count);

#endif
