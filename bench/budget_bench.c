/* bench/budget_bench.c -- is the alarm budget kept?  False alarms promised and raised on scores of normal rows, online.
 *
 * usage: budget_bench FILE.json [SERIES]
 *
 * SERIES (default 20) streams of 86,400 scores, a minute apart: sixty days, of which the first 750 rows are for training.  Scores are drawn
 * from what detectors give on normal rows: independent or slowly moving, light or heavy tails, a daily rhythm of their spread.  A second
 * pass adds ten rows of 5 to 25 deviations about once a day, which nobody labelled: how many are found, and what becomes of the promise.
 * A second table holds policies beside each other, with and without slow events: 300 rows 0.8 deviations higher, about every third day.
 * A third shares one budget among the series of a group, each in equal parts: independent ones, and ones that mostly follow the same noise.
 * What a decision costs is in the last line.  SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"
#include "base/file.h"
#include "base/rng.h"
#include "decide/policy.h"
#include "figure.h"

#include <stdio.h>
#include <time.h>

enum { ROWS = 86400, TRAIN = 750, DAY = 1440, EVENT_ROWS = 10, SLOW_ROWS = 300 };

typedef struct source {
    tcsi_rng rng;
    double state;
} source;

static double moved(source *s, double memory)
{
    s->state = memory * s->state + sqrt(1 - memory * memory) * tcsi_rng_normal(&s->rng);
    return s->state;
}

static double exponential(source *s, size_t t)
{
    (void)t;
    return tcsi_rng_exponential(&s->rng);
}

static double normal(source *s, size_t t)
{
    (void)t;
    return fabs(tcsi_rng_normal(&s->rng));
}

static double moving(source *s, size_t t)
{
    (void)t;
    return fabs(moved(s, 0.9));
}

static double slow(source *s, size_t t)
{
    (void)t;
    return fabs(moved(s, 0.99));
}

static double student(source *s, size_t t)
{
    double chi = 0, z = tcsi_rng_normal(&s->rng);
    (void)t;
    for (int i = 0; i < 3; i++) {
        const double g = tcsi_rng_normal(&s->rng);
        chi += g * g;
    }
    return fabs(z) / sqrt(chi / 3);
}

static double daily(source *s, size_t t)
{
    return fabs(tcsi_rng_normal(&s->rng)) * (1 + 0.8 * sin(2 * 3.14159265358979323846 * (double)t / DAY));
}

static double lognormal(source *s, size_t t)
{
    (void)t;
    return exp(moved(s, 0.95));
}

static const struct { const char *name; double (*next)(source *, size_t); } kinds[] = {
    { "exponential", exponential }, { "half-normal", normal }, { "AR(0.9), absolute", moving }, { "AR(0.99), absolute", slow }, { "Student 3, absolute", student },
    { "half-normal, daily", daily }, { "lognormal AR(0.95)", lognormal },
};

static const struct { const char *name; tcsi_budget budget; } budgets[] = {
    { "1/day", { .count = 1, .per_ns = 86400000000000 } },
    { "1/week", { .count = 1, .per_ns = 604800000000000 } },
    { "1/month", { .count = 7.0 / 30, .per_ns = 604800000000000 } },
};

typedef struct outcome {
    double promised, raised, events, found, seconds, rows;
} outcome;

enum { CALM, SPIKES, SLOW };

static void run(size_t kind, tcsi_budget budget, uint64_t seed, int happens, outcome *out)
{
    source s = { .rng = tcsi_rng_make(seed, kind) };
    tcsi_rng events = tcsi_rng_make(seed, 77);
    const tcsi_policy_options options = { .mode = TCS_MODE_ONLINE, .budget = budget, .own_threshold = NAN,
                                          .train_row_count = TRAIN, .use_train = true };
    static tcs_score scores[ROWS];
    static bool strange[ROWS];
    double height = 0;
    size_t left = 0;
    bool is_found = false;
    for (size_t t = 0; t < ROWS; t++) {
        if (happens != CALM && left == 0 && t > TRAIN && tcsi_rng_uniform(&events) < (happens == SLOW ? 1.0 / 3 : 1.0) / DAY) {
            left = happens == SLOW ? SLOW_ROWS : EVENT_ROWS;
            height = happens == SLOW ? 0.8 : tcsi_rng_range(&events, 5, 25);
            out->events++;
        }
        strange[t] = left > 0;
        scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = kinds[kind].next(&s, t) + (left > 0 ? height : 0) };
        left -= left > 0;
    }
    tcsi_policy policy;
    const clock_t begin = clock();
    if (tcsi_policy_init(&policy, &options, NULL) != TCS_OK) abort();
    for (size_t t = 0; t < ROWS; t++) {
        tcsi_verdict verdict;
        if (tcsi_policy_push(&policy, &scores[t], (int64_t)t * 60000000000, &verdict, NULL) != TCS_OK) abort();
        if (!strange[t]) is_found = false;
        if (strange[t] && verdict.anomaly && !is_found) {
            is_found = true;
            out->found++;
        }
        out->raised += verdict.event == TCSI_EPISODE_OPENED && !strange[t];
    }
    tcsi_policy_deinit(&policy);
    out->seconds += (double)(clock() - begin) / CLOCKS_PER_SEC;
    out->rows += ROWS;
    out->promised += (ROWS - TRAIN) * 60e9 * budget.count / (double)budget.per_ns;
}

static outcome run_all(size_t kind, tcsi_budget budget, size_t series, int happens)
{
    outcome out = { 0 };
    for (size_t i = 0; i < series; i++) run(kind, budget, 100 + i, happens, &out);
    return out;
}

/* A budget alone, and one that lets evidence add up. */
static void compare_policies(size_t series, tcsi_json_writer *w)
{
    static const size_t chosen[] = { 0, 1, 2, 5 };
    printf("\n| scores, 1/day | policy | raised / promised | slow events found | raised / promised |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < TCS_COUNT(chosen); k++)
        for (int p = TCSI_POLICY_BUDGET; p <= TCSI_POLICY_EVIDENCE; p++) {
            char name[64];
            tcsi_budget budget = budgets[0].budget;
            budget.kind = (tcsi_policy_kind)p;
            const outcome calm = run_all(chosen[k], budget, series, CALM), slow = run_all(chosen[k], budget, series, SLOW);
            const double ratio = calm.raised / calm.promised;
            printf("| %s | %s | %.2f | %.0f %% of %.0f | %.2f |\n", kinds[chosen[k]].name, tcsi_policy_infos[p].name, ratio,
                   100 * slow.found / slow.events, slow.events, slow.raised / slow.promised);
            fflush(stdout);
            snprintf(name, sizeof name, "%s, 1/day, %s", kinds[chosen[k]].name, tcsi_policy_infos[p].name);
            figure_write(w, &(figure){ .name = name, .unit = "false alarms raised / promised", .ours = ratio, .peer = NAN, .ratio = NAN,
                                       .target = 1.2, .ok = ratio >= 0.8 && ratio <= 1.2 });
        }
}

/* ---- one budget for a group ---- */

/* What the series of a group have in common. */
static void draw_common(uint64_t group, double *ret_common)
{
    source s = { .rng = tcsi_rng_make(group, 1000) };
    for (size_t t = 0; t < ROWS; t++) ret_common[t] = moved(&s, 0.9);
}

static double raise_alarms(size_t number, uint64_t group, const double *common, double together, const tcsi_budget *budget)
{
    source s = { .rng = tcsi_rng_make(group, number) };
    const tcsi_policy_options options = { .mode = TCS_MODE_ONLINE, .budget = *budget, .own_threshold = NAN, .train_row_count = TRAIN,
                                          .use_train = true };
    tcsi_policy policy;
    double raised = 0;
    if (tcsi_policy_init(&policy, &options, NULL) != TCS_OK) abort();
    for (size_t t = 0; t < ROWS; t++) {
        tcsi_verdict verdict;
        const double own = moved(&s, 0.9);
        tcs_score score = { .state = TCS_SCORE_READY, .value = fabs(together * common[t] + sqrt(1 - together * together) * own) };
        if (tcsi_policy_push(&policy, &score, (int64_t)t * 60000000000, &verdict, NULL) != TCS_OK) abort();
        raised += verdict.event == TCSI_EPISODE_OPENED;
    }
    tcsi_policy_deinit(&policy);
    return raised;
}

static void share_budgets(size_t groups, tcsi_json_writer *w)
{
    static const size_t sizes[] = { 10, 100 };
    static const struct { const char *name; double together; } kinships[] = { { "independent", 0 }, { "mostly the same noise", 0.95 } };
    static double common[ROWS];
    printf("\n| series of a group | are | budget of the group | groups | promised a group | raised | raised / promised | deviation of "
           "groups |\n|---|---|---|---|---|---|---|---|\n");
    for (size_t n = 0; n < TCS_COUNT(sizes); n++)
        for (size_t k = 0; k < TCS_COUNT(kinships); k++)
            for (size_t b = 0; b < 2; b++) {
                tcsi_budget part = budgets[b].budget;
                const double promised = (ROWS - TRAIN) * 60e9 * part.count / (double)part.per_ns;
                double sum = 0, squares = 0;
                char name[96];
                if (tcsi_budget_share(&part, "group", sizes[n], NULL) != TCS_OK) abort();
                for (uint64_t g = 0; g < groups; g++) {
                    double raised = 0;
                    draw_common(300 + g, common);
                    for (size_t i = 0; i < sizes[n]; i++) raised += raise_alarms(i, 300 + g, common, kinships[k].together, &part);
                    sum += raised;
                    squares += raised * raised;
                }
                const double mean = sum / (double)groups, ratio = mean / promised;
                const double deviation = sqrt(fmax(squares / (double)groups - mean * mean, 0));
                printf("| %zu | %s | %s | %zu | %.1f | %.1f | %.2f | %.1f |\n", sizes[n], kinships[k].name, budgets[b].name, groups, promised,
                       mean, ratio, deviation);
                fflush(stdout);
                snprintf(name, sizeof name, "groups of %zu, %s, %s", sizes[n], kinships[k].name, budgets[b].name);
                figure_write(w, &(figure){ .name = name, .unit = "false alarms raised / promised", .ours = ratio, .peer = NAN, .ratio = NAN,
                                           .target = 1.2, .ok = ratio <= 1.2 });
            }
}

int main(int argc, char **argv)
{
    const size_t series = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 20;
    if (argc < 2 || series == 0) {
        fprintf(stderr, "usage: budget_bench FILE.json [SERIES]\n");
        return 2;
    }
    tcsi_buffer json;
    tcsi_json_writer w;
    tcs_error err;
    double seconds = 0, rows = 0;
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&w, &json, true);
    tcsi_json_begin_array(&w);
    printf("| scores | budget | promised | raised | raised / promised | 0.1 to 10 | with events: found | raised / promised |\n"
           "|---|---|---|---|---|---|---|---|\n");
    for (size_t k = 0; k < TCS_COUNT(kinds); k++)
        for (size_t b = 0; b < TCS_COUNT(budgets); b++) {
            char name[64], line[FIGURE_LINE + 1];
            const outcome calm = run_all(k, budgets[b].budget, series, CALM),
                          busy = run_all(k, budgets[b].budget, series, SPIKES);
            const double ratio = calm.raised / calm.promised;
            printf("| %s | %s | %.0f | %.0f | %.2f | `%s` | %.0f %% of %.0f | %.2f |\n", kinds[k].name, budgets[b].name, calm.promised,
                   calm.raised, ratio, figure_draw(ratio, line), 100 * busy.found / busy.events, busy.events, busy.raised / busy.promised);
            fflush(stdout);
            snprintf(name, sizeof name, "%s, %s", kinds[k].name, budgets[b].name);
            figure_write(&w, &(figure){ .name = name, .unit = "false alarms raised / promised", .ours = ratio, .peer = NAN, .ratio = NAN,
                                        .target = 1.2, .ok = ratio >= 0.8 && ratio <= 1.2 });
            seconds += calm.seconds + busy.seconds;
            rows += calm.rows + busy.rows;
        }
    compare_policies(series, &w);
    share_budgets((series + 1) / 2, &w);
    printf("\n%.3f us of processor time a row\n", seconds / rows * 1e6);
    const figure cost = figure_of_cost("decision", "us of processor time a row", seconds / rows * 1e6, 0, NULL, 0.2);
    figure_write(&w, &cost);
    tcsi_json_end_array(&w);
    tcs_status status = tcsi_json_finish(&w, &err);
    if (status == TCS_OK) status = tcsi_file_write(argv[1], json.data, json.size, &err);
    if (status != TCS_OK) fprintf(stderr, "budget_bench: %s\n", err.text);
    tcsi_buffer_deinit(&json);
    return status == TCS_OK ? 0 : 1;
}
