/* api/explain.h -- explanations as the rooms below give them, with what knowledge says of ranges. */
#ifndef TCS_API_EXPLAIN_H
#define TCS_API_EXPLAIN_H

#include "api/handles.h"
#include "pipeline/explain.h"

struct tcs_explanation {
    tcsi_subject subject; /* borrowed from a result or a stream */
    tcsi_explanation inner;
    tcsi_buffer json;
};

enum { TCSI_API_EXPLANATION_SIZE_MAX = 1 << 28 };

/* (count) explanations of the episodes at those places in order of time, filled on success only; each is the caller's to deinit. */
tcs_status tcsi_api_explain(const tcs_result *result, const size_t *episodes, size_t count, const tcs_explain_options *options,
                            tcsi_explanation *ret, tcs_error *err) TCS_WARN_UNUSED;

#endif
