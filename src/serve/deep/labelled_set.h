/* serve/deep/labelled_set.h -- the windows that people have said something of: what a challenger learns from besides the sample.
 *
 * The window of an episode is the last rows of its series when it opened, as the deep layer was shown them; the keeper keeps it beside the
 * episode (store record WINDOW), so that an answer can come days later, and goes with the series when that is erased.
 * Of each episode all answers that stand count together (serve/labels.h): it was *true* with some probability p, which the confidence and
 * the reliability of those who spoke are in; the label is what is likelier, its weight |2 p - 1|.  *not mine* says nothing.  An answer that
 * is taken back is in no reading of the labels any more, and so not in here.
 * Bounded: the last TCSI_DEEP_LABELS_MAX that were answered.  Memory: 300 KB.  Cost: of a reading, all labels, and a look for each window.
 * Threads: one user. */
#ifndef TCS_SERVE_DEEP_LABELLED_SET_H
#define TCS_SERVE_DEEP_LABELLED_SET_H

#include "serve/labels.h"
#include "serve/shard/last_rows.h"

enum { TCSI_DEEP_LABELS_MAX = 2048 };

typedef struct tcsi_deep_label {
    uint64_t episode;        /* a hash of its id */
    int64_t series;          /* the store's number of it */
    int64_t answered_ns;     /* last */
    bool is_true;
    float weight;            /* (0, 1] */
    int16_t rows[TCSI_LAST_ROWS];
} tcsi_deep_label;

typedef struct tcsi_deep_labelled {
    tcsi_deep_label *items;  /* (count) by episode */
    size_t count, counts[2]; /* all; normal and true ones */
    char hash[TCSI_HASH_TEXT_SIZE]; /* of all of it; "": it is empty */
    tcsi_labels labels;
} tcsi_deep_labelled;

void tcsi_deep_labelled_init(tcsi_deep_labelled *set);
void tcsi_deep_labelled_deinit(tcsi_deep_labelled *set);

/* Everything as the store has it now, if there is something new; *ret_is_new.  E_MEMORY, and as the store. */
tcs_status tcsi_deep_labelled_read(tcsi_deep_labelled *set, tcsi_store *store, bool *ret_is_new, tcs_error *err) TCS_WARN_UNUSED;

/* A window as the document of its record, and back; false: it is none. */
tcs_status tcsi_deep_window_write(const int16_t rows[TCSI_LAST_ROWS], tcsi_json_writer *writer, tcs_error *err) TCS_WARN_UNUSED;
bool tcsi_deep_window_read(const char *document, int16_t ret_rows[TCSI_LAST_ROWS]);

#endif
