/* adapt/review.h -- which episodes to ask people about: the few whose answers would teach most.
 *
 * An answer is worth much where what the episode was is not known anyway, and where many others look like it, which it then speaks of, too:
 *     gain = entropy(p) * (1 + sum over the other unanswered ones of their likeness)
 * the uncertainty and density of B. Settles, M. Craven, "An analysis of active learning strategies for sequence labeling tasks", EMNLP
 * 2008.  p, the probability that it was a real event, comes from the answered ones that are like it, and from how often answers were *true*
 * at all.  Likeness is 1 for the same pattern and falls to 0 where half of all unrelated episodes lie (adapt/pattern.h); of another series
 * only if it measures alike, and half.  They are chosen one after the other, and each takes away from the others what it would have taught
 * of them (the greedy rule of G. Nemhauser, L. Wolsey, M. Fisher, "An analysis of approximations for maximizing submodular set functions",
 * Mathematical Programming 14, 1978), so that the queue is not ten times the same.
 * Cost: count^2 distances.  Threads: reentrant. */
#ifndef TCS_ADAPT_REVIEW_H
#define TCS_ADAPT_REVIEW_H

#include "adapt/pattern.h"

typedef struct tcsi_review_item {
    tcsi_pattern pattern;
    double real;      /* answered: the probability that it was a real event; NaN: nobody answered it */
} tcsi_review_item;

typedef struct tcsi_review_choice {
    size_t index;     /* of the item */
    double gain;      /* > 0 */
    double real;      /* probability that it was a real event, as far as is known */
    double like_count; /* unanswered ones like it, counted by likeness */
} tcsi_review_choice;

/* At most limit of the items that nobody answered, the most telling first.  E_MEMORY. */
tcs_status tcsi_review_choose(const tcsi_review_item *items, size_t count, size_t limit, tcsi_review_choice *ret_choices, size_t *ret_count,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
