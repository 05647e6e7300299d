/* detect/window/matrix_profile.c -- the matrix profile: discords are anomalies.
 *
 * Y. Zhu et al., "Matrix profile II: exploiting a novel algorithm and GPUs to break the one hundred million barrier for
 * time series motifs and joins", ICDM 2016 (STOMP), computed by the recurrence of Z. Zimmerman et al., "Matrix profile
 * XIV", SoCC 2019 (SCAMP); see kernels/join.h.  A row's score is the distance of the window centred on it, the ends take the
 * nearest window's.  Finds: shapes that occur nowhere else, whatever their size (z-normalized).  Misses: changes of level
 * and amplitude, and events that happen twice.  Cost: quadratic, 18 ms for 10,000 rows and 2 s for 100,000.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/window/coarse.h"
#include "detect/window/offline.h"
#include "detect/window/profile.h"

#include <math.h>

enum { WINDOW_DEFAULT_MAX = 400 };

typedef struct options {
    size_t window;
    bool normalize;
} options;

typedef struct matrix_profile {
    tcsi_detector base;
    options options;
} matrix_profile;

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    (void)base;
}

/* Distances to rows; windows without a neighbour count as 0. */
static void place(size_t row_count, size_t window, double *distances, double *ret_rows)
{
    tcsi_coarse full = { .row_count = row_count, .factor = 1, .value_count = row_count, .window = window,
                         .window_count = row_count - window + 1 };
    for (size_t i = 0; i < full.window_count; i++)
        if (isinf(distances[i])) distances[i] = 0;
    tcsi_coarse_expand(&full, distances, ret_rows);
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    matrix_profile *self = (matrix_profile *)base;
    tcsi_offline offline = { 0 };
    double *distances = NULL, *rows = NULL;
    tcs_status status = tcsi_offline_begin(frame, self->options.window, NULL, &offline, err);
    bool long_enough = status == TCS_OK && offline.row_count / 2 >= offline.window; /* else no window has a neighbour to speak of */
    if (long_enough) {
        tcsi_profile_options profile = { .window = offline.window, .normalize = self->options.normalize, .pool = base->pool };
        distances = TCSI_NEW_ARRAY(double, offline.row_count);
        rows = TCSI_NEW_ARRAY(double, offline.row_count);
        status = distances && rows ? tcsi_profile(offline.z, offline.row_count, &profile, distances, err)
                                   : tcsi_fail_memory(err, "a matrix profile");
    }
    if (status == TCS_OK && long_enough) place(offline.row_count, offline.window, distances, rows);
    if (status == TCS_OK) tcsi_offline_scores(&offline, rows, ret_scores);
    tcsi_free(distances);
    tcsi_free(rows);
    tcsi_offline_end(&offline);
    return status;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    (void)base;
    tcsi_codec_tag(codec, "MPRO"); /* nothing is learned: the options say it all */
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const matrix_profile *self = (const matrix_profile *)base;
    size_t window = self->options.window ? self->options.window : WINDOW_DEFAULT_MAX;
    return sizeof *self + tcsi_offline_size_max(row_count) + tcsi_profile_size_max(row_count, window,
                                                                                   base->pool) + 2 * row_count * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    { "window", TCSI_PARAMETER_COUNT, offsetof(options, window), 0, 0, 1e6, "rows of a window, 3 or more; 0: the period of the series" },
    { "normalize", TCSI_PARAMETER_BOOL, offsetof(options, normalize), 1, 0, 1, "z-normalize every window, so that only its shape counts" },
};

static const tcsi_detector_ops ops = { .init = init, .deinit = deinit, .score = score, .persist = persist, .size_max = size_max };

const tcsi_detector_info tcsi_detector_matrix_profile = {
    .name = "matrix_profile",
    .title = "matrix profile (self join)",
    .paper = "Y. Zhu et al.: Matrix profile II: exploiting a novel algorithm and GPUs to break the one hundred million barrier for time "
             "series motifs and joins. ICDM 2016 (STOMP); Z. Zimmerman et al.: Matrix profile XIV. SoCC 2019 (SCAMP)",
    .summary = "Distance of every window to its nearest neighbour among all others, z-normalized: discords are shapes that occur nowhere "
               "else. Misses changes of level and what happens twice. Quadratic: 20 ms for 10,000 rows, 2 s for 100,000.",
    .traits = TCSI_TRAIT_OFFLINE,
    .instance_size = sizeof(matrix_profile),
    .options_offset = offsetof(matrix_profile, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
