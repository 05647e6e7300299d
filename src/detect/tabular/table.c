/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/table.h"

#include "base/alloc.h"
#include "detect/detector.h"
#include "series/stats.h"

#include <math.h>
#include <string.h>

size_t tcsi_table_size_max(size_t row_count, size_t channel_count)
{
    size_t rows = tcsi_size_sum(row_count, 1), channels = tcsi_size_sum(channel_count, 1);
    size_t cells = tcsi_size_product(tcsi_size_product(rows, channels), sizeof(double));
    return tcsi_size_sum(cells, tcsi_size_sum(tcsi_size_product(channels, 32), tcsi_size_product(rows, 32)));
}

/* ---- scaler ---- */

void tcsi_scaler_deinit(tcsi_scaler *scaler)
{
    tcsi_free(scaler->fill);
    tcsi_free(scaler->centre);
    tcsi_free(scaler->scale);
    *scaler = (tcsi_scaler){ 0 };
}

static tcs_status scaler_init(size_t channel_count, tcsi_scaler *ret_scaler, tcs_error *err)
{
    tcsi_scaler scaler = { .channel_count = channel_count };
    scaler.fill = TCSI_NEW_ZEROS(double, channel_count);
    scaler.centre = TCSI_NEW_ZEROS(double, channel_count);
    scaler.scale = TCSI_NEW_ZEROS(double, channel_count);
    if (!scaler.fill || !scaler.centre || !scaler.scale) {
        tcsi_scaler_deinit(&scaler);
        return tcsi_fail_memory(err, "a scaler");
    }
    *ret_scaler = scaler;
    return TCS_OK;
}

/* Four sums that do not wait for each other: the processor adds several at once. */
typedef struct four {
    double a, b, c, d;
} four;

static double mean_of(const double *values, size_t count)
{
    four sum = { 0 };
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        sum.a += values[i];
        sum.b += values[i + 1];
        sum.c += values[i + 2];
        sum.d += values[i + 3];
    }
    for (; i < count; i++) sum.a += values[i];
    return ((sum.a + sum.b) + (sum.c + sum.d)) / (double)count;
}

static inline double square_part(double value, double mean, double largest)
{
    double part = (value - mean) / largest;
    return part * part;
}

/* Population deviation; deviations are divided by the largest first, so that no square overflows. */
static double deviation_of(const double *values, size_t count, double mean, double largest)
{
    four squares = { 0 };
    size_t i = 0;
    if (!(largest > 0)) return 0;
    for (; i + 4 <= count; i += 4) {
        squares.a += square_part(values[i], mean, largest);
        squares.b += square_part(values[i + 1], mean, largest);
        squares.c += square_part(values[i + 2], mean, largest);
        squares.d += square_part(values[i + 3], mean, largest);
    }
    for (; i < count; i++) squares.a += square_part(values[i], mean, largest);
    return largest * sqrt(((squares.a + squares.b) + (squares.c + squares.d)) / (double)count);
}

static void extremes_of(const double *values, size_t count, double *ret_smallest, double *ret_largest)
{
    double smallest = values[0], largest = values[0];
    for (size_t i = 1; i < count; i++) {
        smallest = values[i] < smallest ? values[i] : smallest;
        largest = values[i] > largest ? values[i] : largest;
    }
    *ret_smallest = smallest;
    *ret_largest = largest;
}

/* values: the usable ones of one channel, reordered here.  fill: whether the median is needed for missing ones. */
static void fit_channel(double *values, size_t count, tcsi_scaling scaling, bool fill, size_t channel, tcsi_scaler *scaler)
{
    double centre = 0, scale = 1, smallest, largest;
    extremes_of(values, count, &smallest, &largest);
    double mean = mean_of(values, count);
    double deviation = scaling == TCSI_SCALING_NONE ? 0 : deviation_of(values, count, mean, fmax(largest - mean, mean - smallest));
    bool constant = !(smallest < largest);
    double median = fill || scaling == TCSI_SCALING_ROBUST ? tcsi_quantile_inplace(values, count, 0.5) : smallest;
    scaler->fill[channel] = median;
    if (constant && scaling != TCSI_SCALING_NONE) {
        centre = median;
        scale = fabs(median);
    } else if (scaling == TCSI_SCALING_STANDARD) {
        centre = mean;
        scale = deviation;
    } else if (scaling == TCSI_SCALING_RANGE) {
        centre = smallest;
        scale = largest - smallest;
    } else if (scaling == TCSI_SCALING_ROBUST) {
        double range = tcsi_quantile_inplace(values, count, 0.75) - tcsi_quantile_inplace(values, count, 0.25);
        centre = median;
        scale = range > 1e-9 * deviation ? range / 1.349 : deviation;
    }
    scaler->centre[channel] = centre;
    scaler->scale[channel] = scale >= 1e-300 ? scale : 1;
}

tcs_status tcsi_scaler_fit(const tcsi_frame *frame, tcsi_scaling scaling, tcsi_scaler_use use, tcsi_scaler *ret_scaler, tcs_error *err)
{
    double *values = TCSI_NEW_ARRAY(double, frame->row_count);
    if (!values) return tcsi_fail_memory(err, "a channel");
    tcsi_scaler scaler;
    tcs_status status = scaler_init(frame->channel_count, &scaler, err);
    if (status != TCS_OK) {
        tcsi_free(values);
        return status;
    }
    for (size_t c = 0; c < frame->channel_count; c++) {
        const double *column = tcsi_frame_column(frame, c);
        size_t count = 0;
        for (size_t t = 0; t < frame->row_count; t++) { /* no branch: a value that is not counted is written over */
            values[count] = column[t];
            count += tcsi_value_ok(column[t]);
        }
        scaler.scale[c] = 1;
        if (count > 0) fit_channel(values, count, scaling, use == TCSI_SCALER_KEPT || count < frame->row_count, c, &scaler);
    }
    tcsi_free(values);
    *ret_scaler = scaler;
    return TCS_OK;
}

void tcsi_scaler_persist(tcsi_scaler *scaler, size_t channel_count, tcsi_codec *codec)
{
    tcsi_persist_f64s(codec, &scaler->fill, channel_count);
    tcsi_persist_f64s(codec, &scaler->centre, channel_count);
    tcsi_persist_f64s(codec, &scaler->scale, channel_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    scaler->channel_count = channel_count;
    for (size_t c = 0; c < channel_count; c++)
        if (!tcsi_value_ok(scaler->fill[c]) || !tcsi_value_ok(scaler->centre[c]) || !(scaler->scale[c] > 0)) {
            tcsi_codec_refuse(codec, "a scaler out of range");
            return;
        }
}

/* ---- table ---- */

void tcsi_table_deinit(tcsi_table *table)
{
    tcsi_free(table->values);
    tcsi_free(table->rows);
    *table = (tcsi_table){ 0 };
}

void tcsi_table_drop_values(tcsi_table *table)
{
    tcsi_free(table->values);
    table->values = NULL;
}

/* Lists in rows[] the frame rows that have a usable value; returns how many.  Channel by channel, as memory lies, until no row
 * is without. */
static size_t usable_rows(const tcsi_frame *frame, uint8_t *seen, size_t *rows)
{
    size_t count = 0;
    memset(seen, 0, frame->row_count);
    for (size_t c = 0; c < frame->channel_count && count < frame->row_count; c++) {
        const double *column = tcsi_frame_column(frame, c);
        count = 0;
        for (size_t t = 0; t < frame->row_count; t++) count += seen[t] |= tcsi_value_ok(column[t]);
    }
    count = 0;
    for (size_t t = 0; t < frame->row_count; t++)
        if (seen[t]) rows[count++] = t;
    return count;
}

/* What to make of the values of one channel. */
typedef struct change {
    double fill, centre, scale;
} change;

static inline double scaled(double value, change how)
{
    double moved = ((tcsi_value_ok(value) ? value : how.fill) - how.centre) / how.scale;
    moved = moved > -TCSI_TABLE_SCALED_MAX ? moved : -TCSI_TABLE_SCALED_MAX;
    return moved < TCSI_TABLE_SCALED_MAX ? moved : TCSI_TABLE_SCALED_MAX;
}

/* count rows of one channel, step apart in the table. */
static void fill_channel(const double *column, const size_t *rows, size_t count, change how, size_t step, double *ret_values)
{
    if (how.centre == 0 && how.scale == 1) { /* no scaling: nothing to clip either */
        for (size_t i = 0; i < count; i++) ret_values[i * step] = tcsi_value_ok(column[rows[i]]) ? column[rows[i]] : how.fill;
        return;
    }
    for (size_t i = 0; i < count; i++) ret_values[i * step] = scaled(column[rows[i]], how);
}

static void fill_table(const tcsi_frame *frame, const tcsi_scaler *scaler, tcsi_table_layout layout, tcsi_table *table)
{
    bool by_row = layout == TCSI_TABLE_BY_ROW;
    size_t row_step = by_row ? table->channel_count : 1, channel_step = by_row ? 1 : table->row_count;
    enum { BLOCK = 64 }; /* rows at a time, so that a block of the table stays in cache */
    for (size_t begin = 0; begin < table->row_count; begin += BLOCK) {
        size_t count = table->row_count - begin < BLOCK ? table->row_count - begin : BLOCK;
        for (size_t c = 0; c < table->channel_count; c++) {
            change how = { .fill = scaler->fill[c], .centre = scaler->centre[c], .scale = scaler->scale[c] };
            fill_channel(tcsi_frame_column(frame, c), table->rows + begin, count, how, row_step,
                         table->values + begin * row_step + c * channel_step);
        }
    }
}

tcs_status tcsi_table_create(const tcsi_frame *frame, const tcsi_scaler *scaler, tcsi_table_layout layout, tcsi_table *ret_table,
                             tcs_error *err)
{
    TCS_ASSERT(scaler->channel_count == frame->channel_count);
    tcsi_table table = { .channel_count = frame->channel_count };
    uint8_t *seen = TCSI_NEW_ARRAY(uint8_t, frame->row_count);
    table.rows = TCSI_NEW_ARRAY(size_t, frame->row_count);
    if (seen && table.rows) {
        size_t cell_count;
        table.row_count = usable_rows(frame, seen, table.rows);
        if (tcsi_multiply(table.row_count, table.channel_count, &cell_count)) table.values = TCSI_NEW_ARRAY(double, cell_count);
    }
    tcsi_free(seen);
    if (!table.values) {
        tcsi_table_deinit(&table);
        return tcsi_fail_memory(err, "a table");
    }
    fill_table(frame, scaler, layout, &table);
    *ret_table = table;
    return TCS_OK;
}

tcs_status tcsi_table_learn(const tcsi_frame *frame, tcsi_scaling scaling, tcsi_scaler_use use, tcsi_table_layout layout,
                            tcsi_scaler *ret_scaler, tcsi_table *ret_table, tcs_error *err)
{
    tcsi_scaler scaler;
    tcs_status status = tcsi_scaler_fit(frame, scaling, use, &scaler, err);
    if (status != TCS_OK) return status;
    status = tcsi_table_create(frame, &scaler, layout, ret_table, err);
    if (status != TCS_OK) {
        tcsi_scaler_deinit(&scaler);
        return status;
    }
    *ret_scaler = scaler;
    return TCS_OK;
}

size_t tcsi_table_find(const tcsi_table *table, size_t frame_row)
{
    size_t low = 0, high = table->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->rows[middle] < frame_row) low = middle + 1;
        else high = middle;
    }
    return low < table->row_count && table->rows[low] == frame_row ? low : SIZE_MAX;
}

void tcsi_table_spread(const tcsi_table *table, const double *values, size_t frame_row_count, tcs_score *ret_scores)
{
    for (size_t t = 0; t < frame_row_count; t++) ret_scores[t] = (tcs_score){ .state = TCS_SCORE_MISSING };
    for (size_t i = 0; i < table->row_count; i++) {
        double value = values[i] == values[i] ? fmin(fmax(values[i], -1e300), 1e300) : 0;
        ret_scores[table->rows[i]] = (tcs_score){ .state = TCS_SCORE_READY, .value = value };
    }
}

/* ---- saved arrays ---- */

/* true when the caller may go on: saving, or loading into a new block at *array. */
static bool persist_begin(tcsi_codec *codec, void **array, size_t count, size_t item_size)
{
    size_t size;
    if (tcsi_codec_status(codec) != TCS_OK) return false;
    if (!tcsi_codec_loading(codec)) return true;
    if (!tcsi_multiply(count, item_size, &size) || size > codec->in_size) {
        tcsi_codec_refuse(codec, "an array longer than what is left");
        return false;
    }
    tcsi_free(*array);
    *array = tcsi_alloc_array(count, item_size);
    if (*array) return true;
    codec->status = tcsi_fail_memory(codec->err, "a saved array");
    return false;
}

void tcsi_persist_f64s(tcsi_codec *codec, double **array, size_t count)
{
    void *block = *array;
    bool go = persist_begin(codec, &block, count, sizeof **array);
    *array = block;
    if (go) tcsi_codec_f64s(codec, *array, count);
}

void tcsi_persist_f32s(tcsi_codec *codec, float **array, size_t count)
{
    void *block = *array;
    bool go = persist_begin(codec, &block, count, sizeof **array);
    *array = block;
    if (go) tcsi_codec_f32s(codec, *array, count);
}

void tcsi_persist_u32s(tcsi_codec *codec, uint32_t **array, size_t count)
{
    void *block = *array;
    bool go = persist_begin(codec, &block, count, sizeof **array);
    *array = block;
    if (go) tcsi_codec_u32s(codec, *array, count);
}
