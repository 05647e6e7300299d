/* serve/api/labelled.h -- what people's answers come to, for whoever asks: of an episode, of a person, of all.
 *
 * The labels of the store are read again whenever there are new ones, and combined (adapt/raters.h): who is believed how far, and what each
 * answered episode was.  Nothing of it decides by itself: how much an answer counts goes into its action when it is given.
 * Cost: of a reading, all labels; of a question, a search in a sorted list.  Threads: any; one reads at a time. */
#ifndef TCS_SERVE_API_LABELLED_H
#define TCS_SERVE_API_LABELLED_H

#include "serve/api/api.h"
#include "serve/labels.h"

typedef struct tcsi_labelled tcsi_labelled;
tcs_status tcsi_labelled_create(tcsi_labelled **ret_labelled, tcs_error *err) TCS_WARN_UNUSED; /* E_MEMORY */
void tcsi_labelled_destroy(tcsi_labelled *labelled); /* accepts NULL */

/* ---- with tcsi_labelled_begin and tcsi_labelled_end around ---- */

/* Everything as of now; others wait until end.  E_MEMORY, and as the store. */
tcs_status tcsi_labelled_begin(tcsi_api *api, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_labelled_end(tcsi_api *api);
const tcsi_labelled_item *tcsi_labelled_find(const tcsi_api *api, const char *episode_id); /* NULL: nobody answered it */
const tcsi_labelled_item *tcsi_labelled_items(const tcsi_api *api, size_t *ret_count);     /* by id */
double tcsi_labelled_noise(const tcsi_api *api);
size_t tcsi_labelled_rater_count(const tcsi_api *api);
const char *tcsi_labelled_rater(const tcsi_api *api, size_t index, double *ret_reliability, double *ret_answer_count);

/* An episode's document, with "answers", the combined "answer", "answer_probability" and "disagreement" beside what it has. */
void tcsi_labelled_write_episode(const tcsi_api *api, const tcsi_store_record *record, tcsi_json_writer *writer);

/* ---- by themselves ---- */

/* How much a person's answers count, [0, 1]. */
tcs_status tcsi_labelled_reliability(tcsi_api *api, const char *who, double *ret_reliability, tcs_error *err) TCS_WARN_UNUSED;
/* What the episode looks like, as its document has it.  *ret_is_found false: there is no such episode, or none with a pattern. */
tcs_status tcsi_labelled_pattern(tcsi_api *api, const tcsi_request *request, const char *episode_id, tcsi_pattern *ret_pattern,
                            bool *ret_is_found, tcs_error *err) TCS_WARN_UNUSED;
/* A label as GET /api/v1/answers has it. */
void tcsi_labelled_write_answer(const tcsi_store_label *label, tcsi_arena *arena, tcsi_json_writer *writer);

#endif
