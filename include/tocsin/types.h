/* tocsin/types.h -- the plain types that every part of tocsin shares: status, error, score, mode.
 * Included by tocsin/tocsin.h; there is no reason to include it alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOCSIN_TYPES_H
#define TOCSIN_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One row per status: name, number, text.  The enum, tcs_status_name and tcs_status_text are made from it. */
#define TCS_STATUS_LIST(X)                                                                        \
    X(OK, 0, "done")                                                                              \
    X(E_INVALID, 1, "an argument or option is not usable")                                        \
    X(E_MEMORY, 2, "out of memory")                                                               \
    X(E_IO, 3, "a file, pipe or connection failed")                                               \
    X(E_FORMAT, 4, "the input is not in the expected format, or holds nothing to work with")      \
    X(E_LIMIT, 5, "a stated limit was reached")                                                   \
    X(E_UNSUPPORTED, 6, "not available in this build or for this input")                          \
    X(E_CANCELLED, 7, "stopped on request")

typedef enum tcs_status {
#define X(name, number, text) TCS_##name = number,
    TCS_STATUS_LIST(X)
#undef X
} tcs_status;

enum { TCS_ERROR_TEXT_SIZE = 512 };

/* Filled by the function that fails, owned by the caller, never allocated.  text says what, where and what was
 * expected, in one sentence that ends without a newline. */
typedef struct tcs_error {
    tcs_status status;
    char text[TCS_ERROR_TEXT_SIZE];
} tcs_error;

/* Every outcome of looking at a row has its own name. */
typedef enum tcs_score_state {
    TCS_SCORE_WARMUP = 0,  /* too little history to judge */
    TCS_SCORE_MISSING = 1, /* the row has no usable value */
    TCS_SCORE_READY = 2,
} tcs_score_state;

typedef struct tcs_score {
    double value;          /* READY: raw score, higher = more anomalous, any scale; otherwise 0 */
    double p_value;        /* after calibration: chance of a score this high on a normal row, in (0, 1]; before: 0 */
    float uncertainty;     /* epistemic: deviation of value over equally good models, same unit; 0 when the detector states none */
    float noise;           /* aleatoric: deviation of value over held-out normal rows, same unit; 0 when the detector states none */
    tcs_score_state state;
    double evidence;       /* READY: what the detector's own alarm threshold is compared with, where that is not value; otherwise 0 */
} tcs_score;

typedef enum tcs_mode {
    TCS_MODE_ONLINE = 0,  /* causal: each score uses only rows up to its own */
    TCS_MODE_OFFLINE = 1, /* retrospective: the whole frame may be used */
} tcs_mode;

/* Values beyond this magnitude are treated as missing: their squares would not be finite. */
#define TCS_VALUE_MAX 1e150

#ifdef __cplusplus
}
#endif
#endif
