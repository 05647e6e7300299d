/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/steps.h"

#include <math.h>

void tcsi_steps_begin(tcsi_steps *steps)
{
    steps->next_ns = steps->begin_ns;
    steps->is_over = steps->has_sample = false;
}

/* Whether the sample is of no use for this step and all later ones. */
static bool is_stale(const tcsi_steps *steps)
{
    return !steps->has_sample || (uint64_t)steps->next_ns - (uint64_t)steps->sample_ns >= (uint64_t)TCSI_STEPS_LOOKBACK_NS;
}

/* Steps up to end_ns, that one included. */
static void give_until(tcsi_steps *steps, int64_t end_ns)
{
    while (!steps->is_over && steps->next_ns <= end_ns) {
        if (!is_stale(steps)) steps->give(steps->context, steps->next_ns, steps->sample);
        steps->is_over = steps->next_ns > steps->end_ns - steps->step_ns;
        if (!steps->is_over) steps->next_ns += steps->step_ns;
    }
}

void tcsi_steps_push(tcsi_steps *steps, int64_t time_ns, double value)
{
    if (isnan(value)) return;
    if (time_ns > INT64_MIN) give_until(steps, time_ns - 1);
    steps->has_sample = true;
    steps->sample_ns = time_ns;
    steps->sample = value;
}

void tcsi_steps_end(tcsi_steps *steps)
{
    give_until(steps, steps->end_ns);
}
