/* serve/deep/challenger.h -- the challenger of the live network: when one is made out of people's answers, what it is measured to do, and
 * whether that is enough for it to decide.
 *
 *     answers ──> labelled set ──> challenger: the champion's network, and a head (head.h) ──> evidence
 *                            │ beside the champion on the same rows (deep.h): shadow scores ──> evidence
 *                            └─ gates (models/models.h), all passed ──> champion
 *
 * A new one is made when there are TCSI_DEEP_LABELS_MIN labels of each kind, of TCSI_DEEP_LABELLED_SERIES_MIN series, and five more, a
 * tenth at least, since the last; when there is another champion; and at once when an answer that one learned from was taken back or is
 * gone.
 * What it is measured on is people's answers, each judged by what answers on other series teach; with a champion that has learned from
 * answers itself, only those that it has not.  And, again and again, on answers that came later, and on shadow scores.
 * From its making until it is judged by TCSI_CHALLENGER_ROWS_MIN rows it is awaited, where the gates on answers are passed: hold.h.
 * Threads: the teacher's. */
#ifndef TCS_SERVE_DEEP_CHALLENGER_H
#define TCS_SERVE_DEEP_CHALLENGER_H

#include "serve/deep/model.h"
#include "serve/deep/shadow.h"
#include "serve/models/canary.h"

enum { TCSI_CHALLENGER_ROWS_MIN = 300 }; /* shadow rows beside one and the same champion */

typedef struct tcsi_challenger {
    tcsi_store *store;
    tcsi_deep_labelled set;
    tcsi_canary canary;
    tcsi_deep_model *model;     /* NULL: none */
    char parent[TCSI_HASH_TEXT_SIZE]; /* the champion that it was made from */
    int64_t made_ns;
    char made_for[TCSI_HASH_TEXT_SIZE]; /* hash of the set that one was made of last, or tried to */
    bool has_made;
    uint64_t shadow_written;    /* tcsi_deep_shadow.compared of the last evidence */
    bool has_asked, is_awaited; /* the evidence of this model, and what it said */
} tcsi_challenger;

void tcsi_challenger_init(tcsi_challenger *challenger, tcsi_store *store);
void tcsi_challenger_deinit(tcsi_challenger *challenger);

/* What the store says now: answers, canary, who is the challenger.  *ret_is_changed: another model, or another share of series. */
tcs_status tcsi_challenger_look(tcsi_challenger *challenger, const tcsi_deep_model *champion, bool *ret_is_changed,
                                tcs_error *err) TCS_WARN_UNUSED;
/* Is one to be made? */
bool tcsi_challenger_is_due(const tcsi_challenger *challenger, const tcsi_deep_model *champion);
/* Makes one and takes it for the challenger; it and what it was measured to do are in the store.  E_MEMORY, and as the store. */
tcs_status tcsi_challenger_make(tcsi_challenger *challenger, const tcsi_deep_model *champion,
                                const tcsi_deep_windows references[TCSI_QUESTION_SORT_COUNT], tcs_error *err) TCS_WARN_UNUSED;
/* Shadow scores into the registry, when there are enough new ones, and answers that came later. */
tcs_status tcsi_challenger_measure(tcsi_challenger *challenger, const tcsi_deep_model *champion, const tcsi_deep_shadow *shadow,
                                   tcs_error *err) TCS_WARN_UNUSED;
/* Every gate that evidence of both on the same data allows to ask is passed, answers and shadow scores among them. */
tcs_status tcsi_challenger_passes(const tcsi_challenger *challenger, const tcsi_deep_model *champion, bool *ret_passes,
                                  tcs_error *err) TCS_WARN_UNUSED;
/* It was made against this champion, has passed the gates on answers, and no shadow scores have judged it yet.  As the store. */
tcs_status tcsi_challenger_is_awaited(tcsi_challenger *challenger, const tcsi_deep_model *champion, bool *ret_is,
                                      tcs_error *err) TCS_WARN_UNUSED;

#endif
