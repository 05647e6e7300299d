/* SPDX-License-Identifier: Apache-2.0 */
#include "io/report_losses.h"

#include "io/words.h"

#include <math.h>

enum { WIDTH = 640, HEIGHT = 180, MARGIN = 8 };

typedef struct axes {
    double step_max, low, high;
} axes;

static void widen(axes *a, double loss)
{
    if (!isfinite(loss)) return;
    a->low = fmin(a->low, loss);
    a->high = fmax(a->high, loss);
}

static axes axes_of(const tcsi_report *report)
{
    axes a = { .low = INFINITY, .high = -INFINITY };
    for (size_t i = 0; i < report->loss_count; i++) {
        a.step_max = fmax(a.step_max, (double)report->losses[i].step);
        widen(&a, report->losses[i].train_loss);
        widen(&a, report->losses[i].held_loss);
    }
    return a;
}

static double loss_of(const tcsi_report_loss *point, bool held)
{
    return held ? point->held_loss : point->train_loss;
}

/* One line a member. */
static void write_lines(const tcsi_report *report, const axes *a, bool held, FILE *stream)
{
    bool is_open = false;
    const double height = a->high > a->low ? a->high - a->low : 1;
    for (size_t i = 0; i < report->loss_count; i++) {
        const tcsi_report_loss *point = &report->losses[i];
        const double loss = loss_of(point, held), x = (double)point->step / a->step_max, y = (a->high - loss) / height;
        if (is_open && point->member != report->losses[i - 1].member) {
            fputs("\"/>\n", stream);
            is_open = false;
        }
        if (!isfinite(loss)) continue;
        if (!is_open) fprintf(stream, "<polyline class=\"%s\" points=\"", held ? "held" : "train");
        fprintf(stream, "%.1f,%.1f ", MARGIN + x * (WIDTH - 2 * MARGIN), MARGIN + y * (HEIGHT - 2 * MARGIN));
        is_open = true;
    }
    if (is_open) fputs("\"/>\n", stream);
}

void tcsi_report_losses_write(const tcsi_report *report, FILE *stream)
{
    const axes a = axes_of(report);
    char steps[TCSI_WORDS_SIZE], low[TCSI_WORDS_SIZE], high[TCSI_WORDS_SIZE];
    if (!(a.step_max > 0) || !(a.low <= a.high)) return;
    tcsi_words_count((size_t)a.step_max, steps, sizeof steps);
    tcsi_words_number(a.low, low, sizeof low);
    tcsi_words_number(a.high, high, sizeof high);
    fputs("<section class=\"card\" aria-labelledby=\"losses-title\">\n<h2 id=\"losses-title\">How the training went</h2>\n", stream);
    fprintf(stream, "<svg class=\"losses\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Loss by step, from %s to %s\">\n", WIDTH, HEIGHT,
            high, low);
    write_lines(report, &a, false, stream);
    write_lines(report, &a, true, stream);
    fprintf(stream, "</svg>\n<p class=\"legend\">Loss after each round of training, %s to %s, over %s steps: <span class=\"train\">rows "
                    "learned from</span>, <span class=\"held\">rows held out</span>. Training ends early when the second no longer "
                    "falls; the best weights are kept.</p>\n</section>\n", high, low, steps);
}
