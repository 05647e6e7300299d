/* serve/api/second_look.h -- what the deep layer said of an episode, row by row, in its explanation.  Threads: as handlers. */
#ifndef TCS_SERVE_API_SECOND_LOOK_H
#define TCS_SERVE_API_SECOND_LOOK_H

#include "serve/api/explained.h"

enum { TCSI_SECOND_ADVICE_SIZE = 512 };

/* Rows around the episode, as the history has them. */
typedef struct tcsi_second_look_rows {
    const int64_t *times_ns; /* (count) */
    size_t count;
} tcsi_second_look_rows;

/* "attribution", "attribution_error" and "second_look".  ret_unknown: why that is null although something was said; NULL otherwise.
 * ret_advice: what would have been ordinary, in words; "": nothing was tried.  E_MEMORY, as the store. */
tcs_status tcsi_second_look_write(const tcsi_explained *explained, tcsi_second_look_rows rows, tcsi_json_writer *writer,
                                  const char **ret_unknown, char ret_advice[TCSI_SECOND_ADVICE_SIZE], tcs_error *err) TCS_WARN_UNUSED;

#endif
