/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/neighbours_axes.h"

#include "base/alloc.h"
#include "detect/tabular/table.h"
#include "kernels/linalg.h"
#include "series/stats.h"

#include <math.h>

enum {
    SAMPLE_MAX = 1024,  /* rows that axes are learned from */
    WHOLE_MAX = 4,      /* so few channels are compared as they are */
    ROWS_PER_FIND = 48, /* and more, when a row in so many is sought */
    TURN_MAX = 256,     /* channels that are turned; the bounds of neighbours_query.h leave room for doubles' rounding in so many */
    ROWS_PER_AXIS = 25, /* at least so many rows a channel pay for turning: the axes cost about C^3, the search R^2 C */
};

static const double lead_share = 0.96; /* of the variance; the axes that hold it rule out all but some hundredths of the rows */
static const double drawn_in = 3;      /* median distances to which farther rows of the sample are drawn in */
static const double far_out = 8;       /* median distances that are far */

static bool is_worth_turning(size_t row_count, size_t channel_count)
{
    return channel_count > 1 && channel_count <= TURN_MAX && row_count / ROWS_PER_AXIS >= channel_count;
}

void tcsi_axes_deinit(tcsi_axes *axes)
{
    tcsi_free(axes->centres);
    tcsi_free(axes->matrix);
    tcsi_free(axes->channels);
    *axes = (tcsi_axes){ 0 };
}

/* ---- learning ---- */

/* The rows that axes are learned from. */
typedef struct sample {
    double *rows;    /* (S,C): centred and scaled */
    double *column;  /* (S) scratch */
    double *variances; /* (C) about the centre */
    double *sorted;    /* (C) scratch */
    size_t row_count;
} sample;

static void sample_deinit(sample *s)
{
    tcsi_free(s->rows);
    tcsi_free(s->column);
    tcsi_free(s->variances);
    tcsi_free(s->sorted);
}

static tcs_status sample_init(sample *s, size_t row_count, size_t channel_count, tcs_error *err)
{
    size_t cells = 0;
    *s = (sample){ .row_count = row_count < SAMPLE_MAX ? row_count : SAMPLE_MAX };
    if (tcsi_multiply(s->row_count, channel_count, &cells)) s->rows = TCSI_NEW_ARRAY(double, cells);
    s->column = TCSI_NEW_ARRAY(double, s->row_count);
    s->variances = TCSI_NEW_ARRAY(double, channel_count);
    s->sorted = TCSI_NEW_ARRAY(double, channel_count);
    return s->rows && s->column && s->variances && s->sorted ? TCS_OK : tcsi_fail_memory(err, "a sample of rows");
}

/* Medians, which outliers do not move, so that floats spend their digits on the other rows. */
static void choose_centres(tcsi_axes *axes, sample *s, const double *values, size_t row_count)
{
    size_t channels = axes->channel_count;
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < s->row_count; i++) s->column[i] = values[i * row_count / s->row_count * channels + c];
        axes->centres[c] = tcsi_select(s->column, s->row_count, s->row_count / 2);
    }
}

static void choose_scale(tcsi_axes *axes, const double *values, size_t row_count)
{
    size_t channels = axes->channel_count;
    double largest = 0;
    int exponent = 0;
    for (size_t i = 0; i < row_count; i++)
        for (size_t c = 0; c < channels; c++) {
            double size = fabs(values[i * channels + c] - axes->centres[c]);
            largest = size > largest ? size : largest;
        }
    if (largest > 0) frexp(largest, &exponent);
    axes->scale = largest > 1e-300 ? ldexp(1.0, -exponent) : 1.0;
}

/* Fills the sample's rows and variances, and finds what is far. */
static void draw_sample(tcsi_axes *axes, sample *s, const double *values, size_t row_count)
{
    size_t channels = axes->channel_count;
    double *squares = s->column;
    for (size_t i = 0; i < s->row_count; i++) {
        const double *row = values + i * row_count / s->row_count * channels;
        for (size_t c = 0; c < channels; c++) s->rows[i * channels + c] = (row[c] - axes->centres[c]) * axes->scale;
    }
    for (size_t i = 0; i < s->row_count; i++) {
        squares[i] = 0;
        for (size_t c = 0; c < channels; c++) squares[i] += s->rows[i * channels + c] * s->rows[i * channels + c];
    }
    double median = sqrt(tcsi_select(squares, s->row_count, s->row_count / 2)), limit = median * drawn_in;
    axes->ball = median > 1e-150 ? median * far_out : 1;
    for (size_t c = 0; c < channels; c++) s->variances[c] = 0;
    for (size_t i = 0; i < s->row_count; i++) {
        double *row = s->rows + i * channels, square = 0;
        for (size_t c = 0; c < channels; c++) square += row[c] * row[c];
        double factor = sqrt(square) > limit && limit > 0 ? limit / sqrt(square) : 1;
        for (size_t c = 0; c < channels; c++) {
            row[c] *= factor;
            s->variances[c] += row[c] * row[c];
        }
    }
}

/* vectors: (C,C), a row each.  The bounds of neighbours_query.c leave room for 1e-10. */
static bool is_orthogonal(const double *vectors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j <= i; j++) {
            double product = 0;
            for (size_t c = 0; c < count; c++) product += vectors[i * count + c] * vectors[j * count + c];
            if (!(fabs(product - (i == j)) <= 1e-10)) return false;
        }
    return true;
}

static size_t count_leads(const double *variances, size_t channel_count)
{
    double whole = 0, sum = 0;
    size_t count = 0;
    for (size_t a = 0; a < channel_count; a++) whole += variances[a];
    while (count < channel_count && sum < lead_share * whole) sum += variances[count++];
    return count == 0 || count > channel_count - channel_count / 8 ? channel_count : count;
}

/* Keeps the leading columns of the transposed vectors, (C,C). */
static tcs_status keep_leads(tcsi_axes *axes, const double *vectors, tcs_error *err)
{
    size_t channels = axes->channel_count, leads = axes->lead_count;
    axes->matrix = TCSI_NEW_ARRAY(double, channels * leads);
    if (!axes->matrix) return tcsi_fail_memory(err, "principal axes");
    for (size_t c = 0; c < channels; c++)
        for (size_t a = 0; a < leads; a++) axes->matrix[c * leads + a] = vectors[a * channels + c];
    return TCS_OK;
}

/* Principal axes; where the sample has none to offer, nothing. */
static tcs_status turn(tcsi_axes *axes, const sample *s, tcs_error *err)
{
    size_t n = axes->channel_count;
    double *vectors = TCSI_NEW_ARRAY(double, n * n), *covariance = TCSI_NEW_ARRAY(double, n * n), *spreads = TCSI_NEW_ARRAY(double, n);
    tcs_status status = vectors && covariance && spreads ? TCS_OK : tcsi_fail_memory(err, "principal axes");
    if (status == TCS_OK) status = tcsi_covariance(s->rows, s->row_count, n, NULL, covariance, err);
    if (status == TCS_OK && tcsi_eigen_symmetric(covariance, n, spreads, vectors, err) == TCS_OK && is_orthogonal(vectors, n)) {
        axes->lead_count = axes->is_whole ? n : count_leads(spreads, n);
        status = keep_leads(axes, vectors, err);
    }
    tcsi_free(vectors);
    tcsi_free(covariance);
    tcsi_free(spreads);
    return status;
}

/* The channels themselves, largest variance first; equal ones in the channels' order. */
static tcs_status take_channels(tcsi_axes *axes, sample *s, tcs_error *err)
{
    size_t channels = axes->channel_count;
    size_t *order = TCSI_NEW_ARRAY(size_t, channels), *scratch = TCSI_NEW_ARRAY(size_t, channels);
    tcs_status status = order && scratch ? TCS_OK : tcsi_fail_memory(err, "an order of channels");
    for (size_t c = 0; status == TCS_OK && c < channels; c++) s->sorted[c] = -s->variances[c];
    if (status == TCS_OK) tcsi_argsort(s->sorted, channels, order, scratch);
    for (size_t a = 0; status == TCS_OK && a < channels; a++) {
        axes->channels[a] = (uint32_t)order[a];
        s->sorted[a] = s->variances[order[a]];
    }
    if (status == TCS_OK) axes->lead_count = axes->is_whole ? channels : count_leads(s->sorted, channels);
    tcsi_free(order);
    tcsi_free(scratch);
    return status;
}

tcs_status tcsi_axes_learn(const double *values, size_t row_count, size_t channel_count, size_t k, tcsi_axes *ret_axes, tcs_error *err)
{
    bool dense = k >= row_count / ROWS_PER_FIND;
    tcsi_axes axes = { .channel_count = channel_count, .is_whole = dense || channel_count <= WHOLE_MAX,
                       .centres = TCSI_NEW_ARRAY(double, channel_count), .channels = TCSI_NEW_ARRAY(uint32_t, channel_count) };
    sample s;
    tcs_status status = sample_init(&s, row_count, channel_count, err);
    if (status == TCS_OK && (!axes.centres || !axes.channels)) status = tcsi_fail_memory(err, "axes");
    if (status == TCS_OK) {
        choose_centres(&axes, &s, values, row_count);
        choose_scale(&axes, values, row_count);
        draw_sample(&axes, &s, values, row_count);
        if (!dense && is_worth_turning(row_count, channel_count)) status = turn(&axes, &s, err);
        if (status == TCS_OK && !axes.matrix) status = take_channels(&axes, &s, err);
    }
    sample_deinit(&s);
    if (status != TCS_OK) {
        tcsi_axes_deinit(&axes);
        return status;
    }
    *ret_axes = axes;
    return TCS_OK;
}

/* ---- using ---- */

static inline double centred(const tcsi_axes *axes, double value, size_t channel)
{
    value = (value - axes->centres[channel]) * axes->scale;
    return value < -TCSI_AXES_CLIP ? -TCSI_AXES_CLIP : value > TCSI_AXES_CLIP ? TCSI_AXES_CLIP : value;
}

void tcsi_axes_lead(const tcsi_axes *axes, const tcsi_nearest_ops *ops, const double *row, double *scratch, float *ret_floats)
{
    size_t channels = axes->channel_count, leads = axes->lead_count;
    if (!axes->matrix) {
        for (size_t a = 0; a < leads; a++) ret_floats[a] = (float)centred(axes, row[axes->channels[a]], axes->channels[a]);
        return;
    }
    double *along = scratch + channels;
    for (size_t c = 0; c < channels; c++) scratch[c] = centred(axes, row[c], c);
    ops->rotate(axes->matrix, scratch, channels, leads, along);
    for (size_t a = 0; a < leads; a++) ret_floats[a] = (float)along[a];
}

void tcsi_axes_centre(const tcsi_axes *axes, const double *row, float *ret_floats)
{
    for (size_t c = 0; c < axes->channel_count; c++) ret_floats[c] = (float)centred(axes, row[c], c);
}

size_t tcsi_axes_size_max(size_t row_count, size_t channel_count)
{
    size_t rows = row_count < SAMPLE_MAX ? row_count : SAMPLE_MAX, square = tcsi_size_product(channel_count, channel_count);
    size_t learning = tcsi_size_product(tcsi_size_sum(rows, 6), tcsi_size_sum(channel_count, 1));
    if (is_worth_turning(row_count, channel_count)) learning = tcsi_size_sum(learning, tcsi_size_product(square, 6));
    return tcsi_size_product(tcsi_size_sum(learning, tcsi_size_product(channel_count, 3)), sizeof(double));
}
