/* apps/detect_stream.h -- the row-by-row form of `tocsin detect` and `tocsin score`. */
#ifndef TOCSIN_APPS_DETECT_STREAM_H
#define TOCSIN_APPS_DETECT_STREAM_H

#include "cli.h"

typedef struct cli_stream_request {
    const char *input;
    const tcs_read_options *read;
    const tcs_detect_options *detect; /* looked at without a pipeline */
    tcs_pipeline *pipeline; /* or NULL: goes on where it stands */
    bool advance;           /* afterwards it stands behind the input */
    size_t threads;         /* with a pipeline */
    const char *scores; /* NULL: none; "-": standard output, words then go to standard error */
    bool json;          /* one JSON object a line */
    bool explain;       /* with the whole explanation in it */
} cli_stream_request;

/* Until the input ends or the process is told to stop.  *anomalous becomes true when there was an episode. */
tcs_status cli_detect_stream(const cli_stream_request *request, bool *anomalous, tcs_error *err);

#endif
