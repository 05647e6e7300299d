/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/regard.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum { NEAREST = TCSI_REGARD_NEAREST, REFERENCES = 32 };

const char *tcsi_regard_kind_name(tcsi_regard_kind kind) { return kind == TCSI_REGARD_ATTENTION ? "attention" : "likeness"; }

tcs_status tcsi_regard_init(tcsi_regard_kind kind, const tcsi_regard_wish *wish, size_t link_count, tcsi_regard *ret_regard,
                              tcs_error *err)
{
    tcsi_regard regard = { .kind = kind, .line_count = wish->row_count, .link_count = link_count };
    size_t cells;
    if (tcsi_multiply(wish->row_count, link_count, &cells)) regard.links = TCSI_NEW_ZEROS(tcsi_link, cells);
    regard.lines = TCSI_NEW_ZEROS(tcsi_regard_line, wish->row_count);
    if (!regard.links || !regard.lines) {
        tcsi_regard_deinit(&regard);
        return tcsi_fail_memory(err, "what rows were compared with");
    }
    for (size_t i = 0; i < wish->row_count; i++)
        regard.lines[i] = (tcsi_regard_line){ wish->rows[i], wish->rows[i], wish->rows[i] + 1 };
    *ret_regard = regard;
    return TCS_OK;
}

void tcsi_regard_deinit(tcsi_regard *regard)
{
    tcsi_free(regard->links);
    tcsi_free(regard->lines);
    *regard = (tcsi_regard){ .links = NULL };
}

/* ---- nearest patches ---- */

typedef struct finder {
    const tcsi_patch_set *set;
    uint8_t *closed;    /* (count): patches that are no neighbours of any */
    double *distances;  /* (count) from the patch in question; infinite where there is no neighbour */
} finder;

static size_t row_end_of(const tcsi_patch_set *set, size_t n)
{
    const size_t end = n * set->row_step + set->row_length;
    return end < set->frame_row_count ? end : set->frame_row_count;
}

static bool share_a_row(const tcsi_patch_set *set, size_t a, size_t b)
{
    const size_t apart = a > b ? a - b : b - a;
    return apart * set->row_step < set->row_length;
}

static void close_patches(const finder *f, const uint8_t *closed_rows)
{
    for (size_t n = 0; n < f->set->count; n++) {
        const size_t begin = n * f->set->row_step, end = row_end_of(f->set, n);
        f->closed[n] = closed_rows && begin < end && memchr(closed_rows + begin, 1, end - begin) != NULL;
    }
}

static void measure(const finder *f, size_t n)
{
    for (size_t k = 0; k < f->set->count; k++)
        f->distances[k] = f->closed[k] || share_a_row(f->set, n, k) ? INFINITY : f->set->distance(f->set->context, n, k);
}

/* The nearest that is left, or count. */
static size_t take_nearest(const finder *f)
{
    size_t best = f->set->count;
    for (size_t k = 0; k < f->set->count; k++)
        if (f->distances[k] < (best < f->set->count ? f->distances[best] : INFINITY)) best = k;
    return best;
}

/* Of evenly chosen normal patches. */
static double find_usual(const finder *f)
{
    double nearest[REFERENCES];
    size_t found = 0;
    for (size_t i = 0; i < REFERENCES; i++) {
        const size_t n = i * f->set->count / REFERENCES;
        if (f->closed[n]) continue;
        measure(f, n);
        const size_t best = take_nearest(f);
        if (best < f->set->count) nearest[found++] = f->distances[best];
    }
    const double usual = found > 0 ? tcsi_quantile_inplace(nearest, found, 0.5) : NAN;
    return usual > 1e-9 ? usual : 1e-9; /* also of NaN */
}

static size_t patch_around(const tcsi_patch_set *set, size_t row)
{
    const size_t half = set->row_length / 2, n = row > half ? (row - half + set->row_step / 2) / set->row_step : 0;
    return n < set->count ? n : set->count - 1;
}

/* Returns how many links were found. */
static size_t fill_line(const finder *f, double usual, tcsi_regard_line *line, tcsi_link *links)
{
    const size_t n = patch_around(f->set, line->row);
    size_t found = 0;
    line->row_begin = n * f->set->row_step;
    line->row_end = row_end_of(f->set, n);
    measure(f, n);
    for (; found < NEAREST; found++) {
        const size_t best = take_nearest(f);
        if (best == f->set->count) break;
        const double distance = f->distances[best];
        links[found] = (tcsi_link){ best * f->set->row_step, row_end_of(f->set, best), usual / (usual + distance), distance };
        for (size_t k = 0; k < f->set->count; k++)
            if (share_a_row(f->set, best, k)) f->distances[k] = INFINITY;
    }
    return found;
}

tcs_status tcsi_regard_nearest(const tcsi_patch_set *set, const tcsi_regard_wish *wish, tcsi_regard *ret_regard, tcs_error *err)
{
    const finder f = { .set = set, .closed = TCSI_NEW_ZEROS(uint8_t, set->count), .distances = TCSI_NEW_ARRAY(double, set->count) };
    tcsi_regard regard = { .links = NULL };
    size_t found = 0;
    tcs_status status = f.closed && f.distances ? TCS_OK : tcsi_fail_memory(err, "patches");
    if (status == TCS_OK) status = tcsi_regard_init(TCSI_REGARD_LIKENESS, wish, NEAREST, &regard, err);
    if (status == TCS_OK) {
        close_patches(&f, wish->closed);
        regard.usual = find_usual(&f);
        for (size_t i = 0; i < wish->row_count; i++)
            found += fill_line(&f, regard.usual, &regard.lines[i], regard.links + i * NEAREST);
        if (found == 0) status = tcsi_fail(err, TCS_E_UNSUPPORTED, "no normal patch is left to compare with");
    }
    tcsi_free(f.closed);
    tcsi_free(f.distances);
    if (status == TCS_OK) *ret_regard = regard;
    else tcsi_regard_deinit(&regard);
    return status;
}
