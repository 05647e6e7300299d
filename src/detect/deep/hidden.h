/* detect/deep/hidden.h -- how many of the windows that nobody called anomalous are so all the same?
 *
 * From a score that was made without labels: among unlabelled windows, those above a threshold are hidden events or false alarms; of the
 * labelled ones it is known which share lies above.  So the share of hidden events is at most
 *     share of the unlabelled above / share of the labelled above
 * and the smallest such ratio over all thresholds is the estimate, right in the limit if somewhere there are no false alarms (G. Blanchard,
 * G. Lee, C. Scott, "Semi-supervised novelty detection", JMLR 11, 2010, theorem 9).  Thresholds that less than a fifth of the labelled
 * exceed are left out: windows overlap, so that a fifth of twenty events is four.  Threads: reentrant. */
#ifndef TCS_DETECT_DEEP_HIDDEN_H
#define TCS_DETECT_DEEP_HIDDEN_H

#include <stddef.h>

/* Scores of labelled and of other windows, sorted here; none is NaN.  In [0, 0.5]; 0 where one kind is missing.  O(n log n). */
double tcsi_hidden_share(double *labelled, size_t labelled_count, double *others, size_t other_count);

#endif
