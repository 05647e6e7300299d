/* serve/api/texts.h -- a set of texts, each once, given back in the order of their bytes; texts stay where they are.
 * Memory: 16 to 64 bytes a text.  Threads: one user per set. */
#ifndef TCS_SERVE_API_TEXTS_H
#define TCS_SERVE_API_TEXTS_H

#include "base/status.h"

typedef struct tcsi_text {
    const char *text; /* not terminated; NULL: none */
    size_t size;
} tcsi_text;

typedef struct tcsi_texts {
    tcsi_text *items;  /* (capacity) a table with open addressing; after sort the first count */
    size_t count, capacity, count_max;
    bool is_cut;       /* there would have been more */
} tcsi_texts;

void tcsi_texts_init(tcsi_texts *texts, size_t count_max);
void tcsi_texts_deinit(tcsi_texts *texts);
/* E_MEMORY. */
tcs_status tcsi_texts_add(tcsi_texts *texts, const char *text, size_t size, tcs_error *err) TCS_WARN_UNUSED;
/* Ends it. */
void tcsi_texts_sort(tcsi_texts *texts);

#endif
