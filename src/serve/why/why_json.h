/* serve/why/why_json.h -- what is known of why a live episode came to be, as members of a document and in words.
 *
 * docs/reference/live-explanation.md names every key.  Threads: reentrant. */
#ifndef TCS_SERVE_WHY_WHY_JSON_H
#define TCS_SERVE_WHY_WHY_JSON_H

#include "base/json.h"
#include "serve/why/instead.h"

enum { TCSI_ADVICE_SIZE = 512, TCSI_WHY_ROWS_TOLD = 100 };

typedef struct tcsi_why {
    const tcsi_grounds *grounds;   /* sequence 0: nothing is known */
    bool is_ordinary;              /* what the deep layer said in the end */
    tcsi_instead_row *rows;        /* (row_count) as they came, from the onset on; their `instead` is overwritten */
    size_t row_count;              /* 0: they are not known singly, or only as far as the grounds have them */
    bool is_whole;                 /* up to the episode's end, or until now */
} tcsi_why;

/* "first_look" and "peak_look": objects, or null. */
void tcsi_why_write_looks(const tcsi_why *why, tcsi_json_writer *writer);
/* "counterfactual" (it would not have opened) and "unconfirmed" (it would not have been confirmed): objects, or null where they cannot be
 * tried.  ret_advice: the first of them in words, "" where it is null.  E_MEMORY. */
tcs_status tcsi_why_write_counterfactuals(const tcsi_why *why, tcsi_json_writer *writer, char ret_advice[TCSI_ADVICE_SIZE],
                                          tcs_error *err) TCS_WARN_UNUSED;

#endif
