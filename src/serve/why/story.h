/* serve/why/story.h -- a live episode as `tocsin explain` tells of one: what kind of thing happened, since when it was outside its
 * band, and whether there was anything like it in the rows before.
 *
 * The rows around it become a frame of one channel, and src/explain/ explains that briefly: nothing is scored again.  So the document is
 * that of docs/reference/explanation.md, and its rows count from the first one given.  Threads: reentrant. */
#ifndef TCS_SERVE_WHY_STORY_H
#define TCS_SERVE_WHY_STORY_H

#include "base/json.h"

enum { TCSI_STORY_ROWS_BEFORE = 8192, TCSI_STORY_ROWS_MIN = 64 };

typedef struct tcsi_story_rows {
    const char *series;       /* its name */
    const int64_t *times_ns;  /* (count) */
    const double *values, *scores; /* (count) NaN: not scored */
    size_t count;
    size_t onset, end;        /* rows of the episode: [onset, end) */
    double limit;             /* of scores, at the onset */
} tcsi_story_rows;

/* null where there are fewer than TCSI_STORY_ROWS_MIN rows before the onset.  E_MEMORY. */
tcs_status tcsi_story_write(const tcsi_story_rows *rows, tcsi_json_writer *writer, tcs_error *err) TCS_WARN_UNUSED;

#endif
