/* bench/crossing_bench.c -- do probabilities that a limit is passed mean what they say?
 *
 * usage: crossing_bench [--epochs N] [--seeds N]
 * Simulated levels: a tank that fills and is pumped out, a season with lasting noise, a walk between walls, a walk that climbs for ever.
 * tcn_forecaster learns from the first 1,500 rows; then, after each of 2,500 more whose value is below the limit, it says how likely the
 * limit is passed 1, 4, 16 and 64 rows later, and what came is compared.  The limit is the training rows' 95 % quantile; of the climbing
 * walk, which leaves any such behind, the next whole number above the value.
 *   stated, came   mean probability, and share of rows in which the limit was passed
 *   brier          0 is perfect; beside it always-the-right-share (b (1 - b)), and a peer that needs no network: the share of steps as
 *                  large among all steps of that length in the training rows
 *   ece            gap between probability and share, over 15 bins of probability (metrics/calibration.h); and the peer's
 * The line "any" is what is told of all rows up to the 64th: the largest of the four, which is a lower bound.  SPDX-License-Identifier:
 * Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "detect/registry.h"
#include "metrics/calibration.h"
#include "pipeline/crossing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 4064, TRAIN_ROWS = 1500, LAST_ROW = 4000, KINDS = 4, HORIZONS = 4, LINES = HORIZONS + 1, CLIMBS = 3 };
static const size_t horizons[HORIZONS] = { 1, 4, 16, 64 };
static const char *const kind_names[KINDS] = { "tank", "season and lasting noise", "walk between walls", "climbing walk" };

/* ---- series ---- */

typedef struct world {
    double level, noise;
    bool is_pumping;
} world;

static double next_value(size_t kind, size_t t, world *w, tcsi_rng *rng)
{
    const double wave = sin(0.0654 * (double)t); /* 96 rows */
    switch (kind) {
    case 0: /* filled by a stream that swells, pumped out from 4 to 2 */
        w->is_pumping = w->level > 4 || (w->is_pumping && w->level > 2);
        w->level += 0.04 + 0.02 * wave + 0.03 * tcsi_rng_normal(rng) - (w->is_pumping ? 0.12 : 0);
        return w->level + 0.02 * tcsi_rng_normal(rng);
    case 1:
        w->noise = 0.95 * w->noise + 0.2 * tcsi_rng_normal(rng);
        return wave + w->noise;
    case 2:
        w->level += 0.3 * tcsi_rng_normal(rng);
        w->level = w->level < 0 ? -w->level : w->level > 10 ? 20 - w->level : w->level;
        return w->level;
    default: return w->level += 0.02 + 0.2 * tcsi_rng_normal(rng);
    }
}

static tcs_status simulate(size_t kind, uint64_t seed, tcsi_frame **ret_frame, tcs_error *err)
{
    tcsi_rng rng = tcsi_rng_make(seed, kind);
    world w = { .level = kind == 3 ? 0 : 3 };
    tcs_status status = tcsi_frame_create(1, ROWS, false, false, ret_frame, err);
    for (size_t t = 0; t < ROWS && status == TCS_OK; t++) {
        const double value = next_value(kind, t, &w, &rng);
        status = tcsi_frame_append(*ret_frame, &value, 0, 0, err);
    }
    return status;
}

/* ---- what was said and what came ---- */

typedef struct tally {
    double *stated, *peer; /* of rows and seeds, one line after the other */
    uint8_t *came;
    size_t count;
} tally;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double limit_of(size_t kind, double value, double quantile)
{
    return kind == CLIMBS ? floor(value) + 1 : quantile;
}

/* Share of sorted steps (count) that are larger. */
static double share_above(const double *steps, size_t count, double step)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (steps[middle] > step) high = middle;
        else low = middle + 1;
    }
    return (double)(count - low) / (double)count;
}

static void learn_steps(const double *values, double *ret_steps, double *ret_quantile)
{
    memcpy(ret_steps, values, TRAIN_ROWS * sizeof *values);
    qsort(ret_steps, TRAIN_ROWS, sizeof *ret_steps, by_value);
    *ret_quantile = ret_steps[TRAIN_ROWS * 95 / 100];
    for (size_t h = 0; h < HORIZONS; h++) {
        double *to = ret_steps + h * TRAIN_ROWS;
        for (size_t t = horizons[h]; t < TRAIN_ROWS; t++) to[t - horizons[h]] = values[t] - values[t - horizons[h]];
        qsort(to, TRAIN_ROWS - horizons[h], sizeof *to, by_value);
    }
}

static bool comes(const double *values, size_t begin, size_t end, double limit)
{
    for (size_t t = begin; t < end; t++)
        if (values[t] > limit) return true;
    return false;
}

static void compare(const tcsi_detector *detector, const double *values, size_t t, double limit, const double *steps, tally *tallies)
{
    double largest = 0, peer_largest = 0;
    for (size_t h = 0; h < HORIZONS; h++) {
        tcsi_forecast forecast;
        tally *to = &tallies[h];
        if (!tcsi_detector_forecast(detector, 0, h, &forecast) || forecast.ahead != horizons[h]) abort(); /* it always says */
        to->stated[to->count] = tcsi_forecast_above(&forecast, limit);
        to->peer[to->count] = share_above(steps + h * TRAIN_ROWS, TRAIN_ROWS - horizons[h], limit - values[t]);
        to->came[to->count] = values[t + horizons[h]] > limit;
        largest = fmax(largest, to->stated[to->count]);
        peer_largest = fmax(peer_largest, to->peer[to->count]);
        to->count++;
    }
    tally *any = &tallies[HORIZONS];
    any->stated[any->count] = largest;
    any->peer[any->count] = peer_largest;
    any->came[any->count++] = comes(values, t + 1, t + 1 + horizons[HORIZONS - 1], limit);
}

static tcs_status run_series(size_t kind, uint64_t seed, double epochs, double *steps, tally *tallies, tcs_error *err)
{
    const tcsi_parameter_value parameter = { "epochs", epochs };
    const tcsi_detector_setup setup = { .channel_count = 1, .seed = seed, .parameters = &parameter, .parameter_count = 1 };
    const tcsi_detector_info *info;
    tcsi_detector *detector = NULL;
    tcsi_frame *frame = NULL;
    tcs_status status = simulate(kind, seed, &frame, err);
    if (status == TCS_OK) status = tcsi_registry_get("tcn_forecaster", &info, err);
    if (status == TCS_OK) status = tcsi_detector_create(info, &setup, &detector, err);
    if (status == TCS_OK) {
        const tcsi_frame train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
        status = tcsi_detector_fit(detector, &train, err);
    }
    if (status == TCS_OK) {
        const double *values = tcsi_frame_column(frame, 0);
        double quantile;
        learn_steps(values, steps, &quantile);
        for (size_t t = 0; t < LAST_ROW; t++) {
            tcs_score score;
            tcsi_detector_push(detector, &(tcsi_row){ .sequence = t, .values = &values[t] }, &score);
            const double limit = limit_of(kind, values[t], quantile);
            if (t >= TRAIN_ROWS && values[t] <= limit) compare(detector, values, t, limit, steps, tallies);
        }
    }
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
    return status;
}

/* ---- the table ---- */

static tcs_status print_tallies(const char *name, const tally *tallies, tcs_error *err)
{
    tcs_status status = TCS_OK;
    printf("\n%s, %zu rows\n  ahead   stated    came     brier   share    peer       ece    peer\n", name, tallies[0].count);
    for (size_t h = 0; h < LINES && status == TCS_OK; h++) {
        const tally *from = &tallies[h];
        tcsi_calibration ours, peer;
        double stated = 0, came = 0;
        status = tcsi_calibration_compute(from->stated, from->came, from->count, &ours, err);
        if (status == TCS_OK) status = tcsi_calibration_compute(from->peer, from->came, from->count, &peer, err);
        if (status != TCS_OK) break;
        for (size_t i = 0; i < from->count; i++) {
            stated += from->stated[i] / (double)from->count;
            came += from->came[i] / (double)from->count;
        }
        if (h < HORIZONS) printf("  %5zu", horizons[h]);
        else printf("    any");
        printf("    %.3f   %.3f     %.3f   %.3f   %.3f     %.3f   %.3f\n", stated, came, ours.brier, came * (1 - came), peer.brier, ours.ece,
               peer.ece);
    }
    return status;
}

static tcs_status run_kind(size_t kind, size_t seed_count, double epochs, tcs_error *err)
{
    const size_t count = (LAST_ROW - TRAIN_ROWS) * seed_count;
    double *steps = TCSI_NEW_ARRAY(double, HORIZONS * TRAIN_ROWS);
    tally tallies[LINES] = { { 0 } };
    bool fine = steps != NULL;
    for (size_t h = 0; h < LINES; h++) {
        tallies[h] = (tally){ .stated = TCSI_NEW_ARRAY(double, count), .peer = TCSI_NEW_ARRAY(double, count),
                              .came = TCSI_NEW_ARRAY(uint8_t, count) };
        fine &= tallies[h].stated && tallies[h].peer && tallies[h].came;
    }
    tcs_status status = fine ? TCS_OK : tcsi_fail_memory(err, "rows");
    for (size_t seed = 1; seed <= seed_count && status == TCS_OK; seed++) status = run_series(kind, seed, epochs, steps, tallies, err);
    if (status == TCS_OK) status = print_tallies(kind_names[kind], tallies, err);
    for (size_t h = 0; h < LINES; h++) {
        tcsi_free(tallies[h].stated);
        tcsi_free(tallies[h].peer);
        tcsi_free(tallies[h].came);
    }
    tcsi_free(steps);
    return status;
}

int main(int argc, char **argv)
{
    double epochs = 200;
    size_t seed_count = 8;
    tcs_error err = { 0 };
    tcs_status status = TCS_OK;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--epochs") == 0) epochs = atof(argv[i + 1]);
        else seed_count = (size_t)strtoul(argv[i + 1], NULL, 10);
    }
    printf("tcn_forecaster, %.0f epochs, %zu seeds\n", epochs, seed_count);
    for (size_t kind = 0; kind < KINDS && status == TCS_OK; kind++) status = run_kind(kind, seed_count, epochs, &err);
    if (status != TCS_OK) fprintf(stderr, "crossing_bench: %s\n", err.text);
    return status == TCS_OK ? 0 : 1;
}
