/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/hidden.h"

#include <stdlib.h>

enum { LEAST_PART = 5 };
static const double share_max = 0.5;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double tcsi_hidden_share(double *labelled, size_t labelled_count, double *others, size_t other_count)
{
    double least = share_max;
    if (labelled_count == 0 || other_count == 0) return 0;
    qsort(labelled, labelled_count, sizeof *labelled, ascending);
    qsort(others, other_count, sizeof *others, ascending);
    for (size_t i = 0, below = 0; i < labelled_count - labelled_count / LEAST_PART; i++) {
        while (below < other_count && others[below] < labelled[i]) below++;
        const double above = (double)(labelled_count - i) / (double)labelled_count;
        const double ratio = (double)(other_count - below) / (double)other_count / above;
        if (ratio < least) least = ratio;
    }
    return least;
}
