/* apps/model_measure.h -- what a bundle does on the rows of a file, measured. */
#ifndef TOCSIN_APPS_MODEL_MEASURE_H
#define TOCSIN_APPS_MODEL_MEASURE_H

#include "asked.h"

#include "serve/models/models.h"

/* bytes: of the bundle.  The evidence's data is the input's name, its size and a seal of its values and labels, in arena: what was measured
 * on the same rows can be compared. */
tcs_status cli_model_measure(const void *bytes, size_t size, const char *input, const cli_reading *reading, tcsi_arena *arena,
                             tcsi_model_evidence *ret_evidence, tcs_error *err) TCS_WARN_UNUSED;

#endif
