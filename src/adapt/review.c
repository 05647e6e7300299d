/* SPDX-License-Identifier: Apache-2.0 */
#include "adapt/review.h"

#include "base/alloc.h"

#include <math.h>

static const double LIKE_SHARE = 0.5, OF_OTHERS = 0.5, PRIOR = 1;

static double likeness(const tcsi_pattern *a, const tcsi_pattern *b)
{
    const bool is_own = a->series == b->series;
    if (!is_own && a->family != b->family) return 0;
    const double share = tcsi_pattern_share(tcsi_pattern_distance(a, b));
    return fmax(0, 1 - share / LIKE_SHARE) * (is_own ? 1 : OF_OTHERS);
}

static double entropy(double p)
{
    return p <= 0 || p >= 1 ? 0 : -(p * log2(p) + (1 - p) * log2(1 - p));
}

/* How often answers were *true*, with one of either kind imagined. */
static double usual_share(const tcsi_review_item *items, size_t count)
{
    double real = PRIOR, all = 2 * PRIOR;
    for (size_t i = 0; i < count; i++) {
        if (isnan(items[i].real)) continue;
        real += items[i].real;
        all++;
    }
    return real / all;
}

static void weigh(const tcsi_review_item *items, size_t count, double usual, tcsi_review_choice *choice)
{
    const tcsi_review_item *item = &items[choice->index];
    double real = PRIOR * usual, all = PRIOR;
    choice->like_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i == choice->index) continue;
        const double like = likeness(&item->pattern, &items[i].pattern);
        if (isnan(items[i].real)) {
            choice->like_count += like;
        } else {
            real += like * items[i].real;
            all += like;
        }
    }
    choice->real = real / all;
    choice->gain = entropy(choice->real) * (1 + choice->like_count);
}

tcs_status tcsi_review_choose(const tcsi_review_item *items, size_t count, size_t limit, tcsi_review_choice *ret_choices, size_t *ret_count,
                              tcs_error *err)
{
    const double usual = usual_share(items, count);
    size_t open_count = 0, chosen = 0;
    tcsi_review_choice *open = TCSI_NEW_ARRAY(tcsi_review_choice, count + 1);
    if (!open) return tcsi_fail_memory(err, "a queue of episodes to review");
    for (size_t i = 0; i < count; i++) {
        if (!isnan(items[i].real)) continue;
        open[open_count].index = i;
        weigh(items, count, usual, &open[open_count++]);
    }
    while (chosen < limit && open_count > 0) {
        size_t best = 0;
        for (size_t i = 1; i < open_count; i++)
            if (open[i].gain > open[best].gain) best = i;
        if (!(open[best].gain > 0)) break;
        const tcsi_review_choice choice = ret_choices[chosen++] = open[best];
        open[best] = open[--open_count];
        for (size_t i = 0; i < open_count; i++) /* what it teaches of them */
            open[i].gain *= 1 - likeness(&items[choice.index].pattern, &items[open[i].index].pattern);
    }
    tcsi_free(open);
    *ret_count = chosen;
    return TCS_OK;
}
