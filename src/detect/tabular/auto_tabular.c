/* detect/tabular/auto_tabular.c -- the detector for tables that nobody has to configure.
 *
 * Six opinions that fail on different data are brought to one scale and averaged:
 *   far     (three times) mean distance to the nearest few percent of 512 random rows.  A small reference makes a group of
 *           anomalies too small to hold its own neighbours, which is what defeats the k-th neighbour of the whole table
 *           (masking); Sugiyama and Borgwardt, "Rapid distance-based outlier detection via sampling", NIPS 2013.  In
 *           raw units, robustly scaled, and scaled to equal ranges: no single scaling is right for every table.
 *   forest  isolation forest (Liu, Ting, Zhou, ICDM 2008): extreme values in few channels, whatever the others do.
 *   lof     (twice) local outlier factor (Breunig et al., SIGMOD 2000) with many neighbours, in raw units and in equal
 *           ranges: rows beside a dense group.  Against a reference of at most 2048 rows, with half as many neighbours when it
 *           stands for 4096 or more: the same share of the table.  Beyond 4096 channels the reference holds 8 million values,
 *           down to 64 rows, so that the cost stays linear in the values of the table.
 * Each opinion is measured from its median in units of median to upper quartile, clipped to [-3, 12] so that one alone
 * cannot decide; the score is the mean.  About 0 is an ordinary row, above 3 a rare one.
 *
 * The members, k, shares and bounds are constants, chosen over 27 public labelled tables as a whole and confirmed on random
 * halves of them that took no part in the choice (bench/tabular_bench.py measures it); nothing is looked up by data set.
 * Unfitted: every row is compared with the others, itself left out.  Fitted: reference rows, forest and scales come from
 * the training rows.  Fewer than two usable rows are WARMUP.  Missing values become the channel's median.
 * Parts: squared robust difference between a row and its nearest reference rows, channel by channel.
 * Cost: linear in rows and in channels; 100,000 rows of 10 channels took 1 s of one core, most of it neighbour lists.  Memory:
 * the table, 4 bytes a value for the parts, the reference rows twice more and their index, one member's at a time unless
 * fitted, and about 15 MB of neighbour lists at most.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "detect/detector.h"
#include "detect/tabular/forest.h"
#include "detect/tabular/neighbours.h"
#include "detect/tabular/parts.h"
#include "detect/tabular/table.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

enum {
    TREE_COUNT = 100, SAMPLE_COUNT = 256,
    REFERENCE_COUNT_MAX = 2048, /* of lof; the first FAR_COUNT_MAX of them are far's */
    REFERENCE_COUNT_MIN = 64,
    REFERENCE_CELL_COUNT_MAX = 1 << 23, /* of more than 4096 channels fewer rows are taken, down to that minimum */
    FAR_COUNT_MAX = 512,
    K_ROW_COUNT = 4096,         /* rows of a table that lof's k is meant for, or all when there are fewer */
    CHUNK = 4096,               /* rows whose neighbour lists are held at once */
    STREAM_REFERENCE = 1000001, /* of the random numbers; the forest's trees use 0, 1, ... */
};

typedef enum member_kind { MEMBER_FAR, MEMBER_LOF } member_kind;

typedef struct member_spec {
    member_kind kind;
    tcsi_scaling scaling;
    double share;  /* FAR: k as a share of the reference */
    size_t k;      /* LOF, in a table of K_ROW_COUNT rows or fewer */
    bool explains; /* the channels' parts come from here */
} member_spec;

static const member_spec specs[] = {
    { .kind = MEMBER_FAR, .scaling = TCSI_SCALING_NONE, .share = 0.05 },
    { .kind = MEMBER_LOF, .scaling = TCSI_SCALING_NONE, .k = 100 },
    { .kind = MEMBER_FAR, .scaling = TCSI_SCALING_ROBUST, .share = 0.05, .explains = true },
    { .kind = MEMBER_FAR, .scaling = TCSI_SCALING_RANGE, .share = 0.1 },
    { .kind = MEMBER_LOF, .scaling = TCSI_SCALING_RANGE, .k = 200 },
};

static const tcsi_scaling scalings[] = { TCSI_SCALING_NONE, TCSI_SCALING_ROBUST, TCSI_SCALING_RANGE };
enum { MEMBER_COUNT = TCS_COUNT(specs), SCALING_COUNT = TCS_COUNT(scalings), K_MAX = 200 };

static const double opinion_min = -3, opinion_max = 12;

typedef struct opinion_scale {
    double centre, unit; /* median, and its distance to the upper quartile; unit > 0 */
} opinion_scale;

typedef struct member {
    tcsi_neighbours *index;
    double *k_distances, *densities; /* (reference) LOF only */
    size_t k;
    opinion_scale scale;
} member;

typedef struct model {
    tcsi_scaler scalers[SCALING_COUNT];
    member members[MEMBER_COUNT];
    tcsi_forest forest;
    opinion_scale forest_scale;
} model;

typedef struct auto_tabular {
    tcsi_detector base;
    model fitted;
    tcsi_parts parts;
} auto_tabular;

/* ---- life ---- */

static void member_deinit(member *m)
{
    tcsi_neighbours_destroy(m->index);
    tcsi_free(m->k_distances);
    tcsi_free(m->densities);
    *m = (member){ 0 };
}

static void model_deinit(model *m)
{
    for (size_t s = 0; s < SCALING_COUNT; s++) tcsi_scaler_deinit(&m->scalers[s]);
    for (size_t i = 0; i < MEMBER_COUNT; i++) member_deinit(&m->members[i]);
    tcsi_forest_deinit(&m->forest);
    *m = (model){ 0 };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    model_deinit(&((auto_tabular *)base)->fitted);
    tcsi_parts_deinit(&((auto_tabular *)base)->parts);
}

/* ---- one pass over a frame: learning or applying ---- */

/* What a pass needs besides the model.  Arrays of table rows. */
typedef struct pass {
    auto_tabular *self;
    model *m;
    bool learning;       /* the rows are the reference's source: find scales, leave each row itself out */
    bool passing;        /* nobody needs the model afterwards: its parts go as soon as they have been heard */
    size_t row_count, channel_count;
    size_t *reference;   /* (reference_count) learning: table rows in random order */
    size_t reference_count;
    uint32_t *own;       /* (R) learning: the row's number in the reference, or UINT32_MAX */
    double *values;      /* (R) one opinion, then scratch */
    double *totals;      /* (R) */
    double *distances;   /* (CHUNK, K_MAX + 1) */
    uint32_t *rows;      /* the same shape */
    double *gathered;    /* (reference_count, C) learning */
} pass;

static void pass_deinit(pass *p)
{
    tcsi_free(p->reference);
    tcsi_free(p->own);
    tcsi_free(p->values);
    tcsi_free(p->totals);
    tcsi_free(p->distances);
    tcsi_free(p->rows);
    tcsi_free(p->gathered);
}

static size_t chunk_of(size_t row_count)
{
    return row_count < CHUNK ? row_count : CHUNK;
}

/* Every row is compared with every reference row, channel by channel: bounded in values, the cost is linear in those of the table. */
static size_t reference_count_max(size_t channel_count)
{
    size_t rows = REFERENCE_CELL_COUNT_MAX / channel_count;
    return rows < REFERENCE_COUNT_MIN ? REFERENCE_COUNT_MIN : rows < REFERENCE_COUNT_MAX ? rows : REFERENCE_COUNT_MAX;
}

/* row_count >= 2 */
static tcs_status pass_init(pass *p, tcs_error *err)
{
    size_t rows = p->row_count, chunk = chunk_of(rows), limit = reference_count_max(p->channel_count), cells;
    p->reference_count = rows < limit ? rows : limit;
    p->values = TCSI_NEW_ARRAY(double, rows);
    p->totals = TCSI_NEW_ZEROS(double, rows);
    p->distances = TCSI_NEW_ARRAY(double, chunk * (K_MAX + 1));
    p->rows = TCSI_NEW_ARRAY(uint32_t, chunk * (K_MAX + 1));
    bool ok = p->values && p->totals && p->distances && p->rows;
    if (ok && p->learning) {
        p->reference = TCSI_NEW_ARRAY(size_t, p->reference_count);
        p->own = TCSI_NEW_ARRAY(uint32_t, rows);
        if (tcsi_multiply(p->reference_count, p->channel_count, &cells)) p->gathered = TCSI_NEW_ARRAY(double, cells);
        ok = p->reference && p->own && p->gathered;
    }
    if (!ok) return tcsi_fail_memory(err, "auto_tabular's lists");
    if (!p->learning) return TCS_OK;
    tcsi_rng rng = tcsi_rng_make(p->self->base.seed, STREAM_REFERENCE);
    tcsi_rng_sample(&rng, rows, p->reference_count, p->reference);
    for (size_t i = 0; i < rows; i++) p->own[i] = UINT32_MAX;
    for (size_t i = 0; i < p->reference_count; i++) p->own[p->reference[i]] = (uint32_t)i;
    return TCS_OK;
}

/* ---- opinions ---- */

static opinion_scale scale_of(const double *values, size_t count, double *scratch)
{
    memcpy(scratch, values, count * sizeof *scratch);
    double median = tcsi_quantile_inplace(scratch, count, 0.5), unit = tcsi_quantile_inplace(scratch, count, 0.75) - median;
    if (!(unit > 1e-12 * fabs(median))) unit = tcsi_deviation(values, count); /* more than a quarter of the rows are alike */
    if (!(unit > 1e-12 * fabs(median)) || !(unit > 1e-300)) unit = fmax(fabs(median), 1e-300);
    return (opinion_scale){ .centre = median, .unit = unit };
}

/* Adds the opinion in p->values to the totals. */
static tcs_status add_opinion(pass *p, opinion_scale *scale, tcs_error *err)
{
    if (p->learning) {
        double *scratch = TCSI_NEW_ARRAY(double, p->row_count);
        if (!scratch) return tcsi_fail_memory(err, "an opinion");
        *scale = scale_of(p->values, p->row_count, scratch);
        tcsi_free(scratch);
    }
    for (size_t i = 0; i < p->row_count; i++) {
        double opinion = (p->values[i] - scale->centre) / scale->unit;
        p->totals[i] += fmin(fmax(opinion, opinion_min), opinion_max) / (double)(MEMBER_COUNT + 1);
    }
    return TCS_OK;
}

static double largest_of(const double *values, size_t count)
{
    double largest = values[0];
    for (size_t i = 1; i < count; i++) largest = values[i] > largest ? values[i] : largest;
    return largest;
}

static tcs_status learn_densities(member *m, size_t reference_count, tcsi_pool *pool, tcs_error *err)
{
    size_t k = m->k;
    double *distances = TCSI_NEW_ARRAY(double, reference_count * k); /* at most 2048 * 200 */
    uint32_t *rows = TCSI_NEW_ARRAY(uint32_t, reference_count * k);
    m->k_distances = TCSI_NEW_ARRAY(double, reference_count);
    m->densities = TCSI_NEW_ARRAY(double, reference_count);
    bool ok = distances && rows && m->k_distances && m->densities;
    tcs_status status = ok ? TCS_OK : tcsi_fail_memory(err, "densities");
    if (status == TCS_OK) status = tcsi_neighbours_search_own(m->index, k, TCSI_NEAREST_LOOSE, pool, distances, rows, err);
    for (size_t i = 0; status == TCS_OK && i < reference_count; i++) m->k_distances[i] = largest_of(distances + i * k, k);
    for (size_t i = 0; status == TCS_OK && i < reference_count; i++)
        m->densities[i] = tcsi_reach_density(distances + i * k, rows + i * k, k, m->k_distances);
    tcsi_free(distances);
    tcsi_free(rows);
    return status;
}

static tcs_status learn_member(pass *p, const tcsi_table *table, const member_spec *spec, member *m, tcs_error *err)
{
    bool far = spec->kind == MEMBER_FAR;
    size_t channels = table->channel_count, limit = far ? FAR_COUNT_MAX : REFERENCE_COUNT_MAX;
    size_t count = p->reference_count < limit ? p->reference_count : limit;
    size_t meant = p->row_count < K_ROW_COUNT ? p->row_count : K_ROW_COUNT;
    size_t k = far ? (size_t)floor(spec->share * (double)count + 0.5) : spec->k * count / meant;
    m->k = k < 1 ? 1 : k < count - 1 ? k : count - 1;
    for (size_t i = 0; i < count; i++)
        memcpy(p->gathered + i * channels, table->values + p->reference[i] * channels, channels * sizeof(double));
    tcs_status status = tcsi_neighbours_create(p->gathered, count, channels, m->k, &m->index, err);
    if (status == TCS_OK && !far) status = learn_densities(m, count, p->self->base.pool, err);
    return status;
}

/* Takes own out of a list of k + 1, or the farthest when own is not there; the first k stay, in any order. */
static void leave_out(double *distances, uint32_t *rows, size_t k, uint32_t own)
{
    size_t at = 0;
    for (size_t j = 1; j <= k && rows[at] != own; j++)
        if (rows[j] == own || distances[j] > distances[at]) at = j;
    distances[at] = distances[k];
    rows[at] = rows[k];
}

static void explain_row(pass *p, const tcsi_table *table, const member *m, size_t row, const uint32_t *rows)
{
    const double *values = table->values + row * table->channel_count;
    for (size_t c = 0; c < table->channel_count; c++) {
        double sum = 0;
        for (size_t j = 0; j < m->k; j++) sum += tcsi_neighbours_row(m->index, rows[j])[c];
        double difference = values[c] - sum / (double)m->k;
        tcsi_parts_set(&p->self->parts, table->rows[row], c, difference * difference);
    }
}

static double judge(const member_spec *spec, const member *m, const double *distances, const uint32_t *rows)
{
    if (spec->kind == MEMBER_LOF)
        return tcsi_density_ratio(tcsi_reach_density(distances, rows, m->k, m->k_distances), rows, m->k, m->densities);
    double sum = 0;
    for (size_t j = 0; j < m->k; j++) sum += distances[j];
    return sum / (double)m->k;
}

/* The opinions of one member on rows [begin, begin + count) of the table. */
static tcs_status judge_chunk(pass *p, const tcsi_table *table, const member_spec *spec, const member *m, size_t begin, size_t count,
                              tcs_error *err)
{
    size_t width = m->k + (p->learning ? 1 : 0);
    const double *queries = table->values + begin * table->channel_count;
    tcs_status status = tcsi_neighbours_search(m->index, queries, count, width, TCSI_NEAREST_LOOSE, p->self->base.pool, p->distances,
                                               p->rows, err);
    for (size_t i = 0; status == TCS_OK && i < count; i++) {
        double *distances = p->distances + i * width;
        uint32_t *rows = p->rows + i * width;
        if (p->learning) leave_out(distances, rows, m->k, p->own[begin + i]);
        p->values[begin + i] = judge(spec, m, distances, rows);
        if (spec->explains) explain_row(p, table, m, begin + i, rows);
    }
    return status;
}

static tcs_status run_member(pass *p, const tcsi_table *table, const member_spec *spec, member *m, tcs_error *err)
{
    tcs_status status = p->learning ? learn_member(p, table, spec, m, err) : TCS_OK;
    for (size_t begin = 0; status == TCS_OK && begin < p->row_count; begin += CHUNK)
        status = judge_chunk(p, table, spec, m, begin, chunk_of(p->row_count - begin), err);
    if (status == TCS_OK) status = add_opinion(p, &m->scale, err);
    if (p->passing) member_deinit(m);
    return status;
}

static tcs_status run_forest(pass *p, const tcsi_table *table, tcs_error *err)
{
    const tcsi_detector *base = &p->self->base;
    model *m = p->m;
    tcs_status status = TCS_OK;
    if (p->learning)
        status = tcsi_forest_build(table->values, table->row_count, table->channel_count, TREE_COUNT, SAMPLE_COUNT, base->seed, base->pool,
                                   &m->forest, err);
    if (status == TCS_OK) status = tcsi_forest_score(&m->forest, table->values, table->row_count, base->pool, p->values, err);
    return status == TCS_OK ? add_opinion(p, &m->forest_scale, err) : status;
}

static tcs_status run_scaling(pass *p, const tcsi_table *table, tcsi_scaling scaling, tcs_error *err)
{
    tcs_status status = scaling == TCSI_SCALING_ROBUST ? run_forest(p, table, err) : TCS_OK;
    for (size_t i = 0; i < MEMBER_COUNT && status == TCS_OK; i++)
        if (specs[i].scaling == scaling) status = run_member(p, table, &specs[i], &p->m->members[i], err);
    return status;
}

static void write_scores(const pass *p, const tcsi_table *table, size_t frame_row_count, tcs_score *ret_scores)
{
    tcsi_table_spread(table, p->totals, frame_row_count, ret_scores);
}

/* Learns into *m when learning is set, scores the frame when ret_scores is given.  Too few rows to learn from leave *m
 * without scalers' members: *ret_usable_count says how many rows there were. */
static tcs_status run(auto_tabular *self, model *m, bool learning, const tcsi_frame *frame, tcs_score *ret_scores,
                      size_t *ret_usable_count, tcs_error *err)
{
    pass p = { .self = self, .m = m, .learning = learning, .passing = learning && ret_scores, .channel_count = frame->channel_count };
    tcsi_scaler_use use = p.passing ? TCSI_SCALER_PASSING : TCSI_SCALER_KEPT;
    tcs_status status = tcsi_parts_begin(&self->parts, frame->row_count, frame->channel_count, err);
    for (size_t s = 0; s < SCALING_COUNT && status == TCS_OK; s++) {
        tcsi_table table;
        status = learning ? tcsi_table_learn(frame, scalings[s], use, TCSI_TABLE_BY_ROW, &m->scalers[s], &table, err)
                          : tcsi_table_create(frame, &m->scalers[s], TCSI_TABLE_BY_ROW, &table, err);
        if (status != TCS_OK) break;
        bool enough = table.row_count >= (learning ? 2 : 1), first = s == 0, last = s + 1 == SCALING_COUNT;
        p.row_count = *ret_usable_count = table.row_count;
        if (first && enough) status = pass_init(&p, err);
        if (status == TCS_OK && enough) status = run_scaling(&p, &table, scalings[s], err);
        if (status == TCS_OK && last && ret_scores && enough) write_scores(&p, &table, frame->row_count, ret_scores);
        if (status == TCS_OK && last && ret_scores && !enough) {
            const double nothing[1] = { 0 };
            tcsi_table_spread(&table, nothing, frame->row_count, ret_scores);
            for (size_t i = 0; i < table.row_count; i++) ret_scores[table.rows[i]].state = TCS_SCORE_WARMUP;
        }
        tcsi_table_deinit(&table);
        if (p.passing) tcsi_scaler_deinit(&m->scalers[s]);
    }
    pass_deinit(&p);
    return status;
}

/* ---- operations ---- */

static tcs_status fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err)
{
    auto_tabular *self = (auto_tabular *)base;
    model m = { 0 };
    size_t usable_count = 0;
    tcs_status status = run(self, &m, true, train, NULL, &usable_count, err);
    if (status == TCS_OK && usable_count < 2)
        status = tcsi_fail(err, TCS_E_INVALID, "auto_tabular: needs two training rows with a usable value, got %zu", usable_count);
    if (status != TCS_OK) {
        model_deinit(&m);
        return status;
    }
    tcsi_parts_deinit(&self->parts);
    model_deinit(&self->fitted);
    self->fitted = m;
    return TCS_OK;
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    auto_tabular *self = (auto_tabular *)base;
    model own = { 0 };
    size_t usable_count = 0;
    tcs_status status = run(self, base->is_fitted ? &self->fitted : &own, !base->is_fitted, frame, ret_scores, &usable_count, err);
    model_deinit(&own);
    return status;
}

static void contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts)
{
    tcsi_parts_sum(&((const auto_tabular *)base)->parts, row_begin, row_end, base->channel_count, ret_parts);
}

/* ---- saved form and size ---- */

static void persist_scale(opinion_scale *scale, tcsi_codec *codec)
{
    tcsi_codec_f64(codec, &scale->centre);
    tcsi_codec_f64(codec, &scale->unit);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !(fabs(scale->centre) < 1e300 && scale->unit > 0))
        tcsi_codec_refuse(codec, "an opinion's scale out of range");
}

static void persist_member(const member_spec *spec, member *m, size_t channel_count, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &m->k, K_MAX);
    tcsi_neighbours_persist(&m->index, channel_count, m->k, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    size_t count = tcsi_neighbours_row_count(m->index);
    if (tcsi_codec_loading(codec) && (count < 2 || count > REFERENCE_COUNT_MAX)) tcsi_codec_refuse(codec, "a reference of a wrong size");
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && (m->k < 1 || m->k >= count))
        tcsi_codec_refuse(codec, "a number of neighbours out of range");
    if (spec->kind == MEMBER_LOF) {
        tcsi_persist_f64s(codec, &m->k_distances, count);
        tcsi_persist_f64s(codec, &m->densities, count);
        for (size_t i = 0; tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && i < count; i++)
            if (!(m->k_distances[i] >= 0 && m->k_distances[i] <= 1e300 && m->densities[i] > 0 && m->densities[i] <= 1 / TCSI_REACH_MIN))
                tcsi_codec_refuse(codec, "a density out of range");
    }
    persist_scale(&m->scale, codec);
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    model *m = &((auto_tabular *)base)->fitted;
    tcsi_codec_tag(codec, "ATAB");
    if (!base->is_fitted) return;
    for (size_t s = 0; s < SCALING_COUNT; s++) tcsi_scaler_persist(&m->scalers[s], base->channel_count, codec);
    for (size_t i = 0; i < MEMBER_COUNT; i++) persist_member(&specs[i], &m->members[i], base->channel_count, codec);
    tcsi_forest_persist(&m->forest, base->channel_count, codec);
    persist_scale(&m->forest_scale, codec);
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    size_t channels = base->channel_count, threads = tcsi_pool_thread_count(base->pool), model_size = 0;
    size_t reference = reference_count_max(channels);
    if (!base->is_fitted && row_count < reference) reference = row_count;
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        model_size = tcsi_size_sum(model_size, tcsi_size_sum(tcsi_neighbours_size_max(reference, channels), reference * 16));
    model_size = tcsi_size_sum(model_size, tcsi_forest_size_max(TREE_COUNT, SAMPLE_COUNT, channels, threads));
    model_size = tcsi_size_sum(model_size, tcsi_size_product(SCALING_COUNT + 1, tcsi_table_size_max(0, channels)));
    size_t loading = tcsi_size_product(tcsi_size_product(reference, channels), sizeof(double)); /* also the gathered reference */
    size_t held = tcsi_size_sum(sizeof(auto_tabular), tcsi_size_sum(model_size, loading));
    if (row_count == 0) return held;
    size_t chunk = chunk_of(row_count), lists = (chunk + reference) * (K_MAX + 1) * (sizeof(double) + sizeof(uint32_t));
    size_t scoring = tcsi_table_size_max(row_count, channels);
    scoring = tcsi_size_sum(scoring, tcsi_size_product(tcsi_size_product(row_count, channels), sizeof(float)));
    scoring = tcsi_size_sum(scoring, tcsi_size_sum(lists, tcsi_size_product(row_count, 48)));
    scoring = tcsi_size_sum(scoring, tcsi_neighbours_search_size(chunk, channels, K_MAX + 1, threads));
    return tcsi_size_sum(held, tcsi_size_sum(scoring, tcsi_forest_score_size(TREE_COUNT, SAMPLE_COUNT, channels, threads)));
}

static const tcsi_detector_ops ops = {
    .init = init, .deinit = deinit, .fit = fit, .score = score, .contribute_span = contribute_span, .persist = persist,
    .size_max = size_max,
};

const tcsi_detector_info tcsi_detector_auto_tabular = {
    .name = "auto_tabular",
    .title = "ensemble for tables, without labels or settings",
    .paper = "members: F. T. Liu et al. ICDM 2008 (isolation forest); M. Sugiyama, K. Borgwardt, NIPS 2013 (distance to a sample); "
             "M. M. Breunig et al. SIGMOD 2000 (local outlier factor)",
    .summary = "Averages six opinions on one scale: distance to a small sample in three scalings, isolation forest, and local outlier "
               "factor in two scalings. For rows without time; no labels and no settings. About 10 us a row at 10 channels. Rows of more "
               "than 4096 channels are compared with fewer others: 80 of 100,000 channels, 64 of more.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_TABULAR | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RANDOM,
    .instance_size = sizeof(auto_tabular),
    .ops = &ops,
};
