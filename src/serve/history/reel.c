/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/reel.h"

#include "base/alloc.h"
#include "base/bounds.h"

#include <math.h>
#include <string.h>

enum { ROWS_BEGIN = 1024, SAVED_SIZE = 48, PIECE = 4096, DROPPED = (1 << 12) - 1 /* of a float's bits */ };

static const double NARROW_MAX = 3e38;

static const int64_t SECOND_NS = INT64_C(1000000000), AGE_NS = INT64_C(3600000000000);
/* Blocks a second that all reels together should end in: what a store on a plain disk takes beside everything else. */
static const double BLOCKS_PER_S = 500;
static const double STEP_SHRINK = 0.8; /* a step is made shorter only when what it gives is well within the limit */
static const int steps_s[] = { 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600 };

/* ---- life ---- */

void tcsi_reel_init(tcsi_reel *reel, const tcsi_reel_options *options)
{
    *reel = (tcsi_reel){ .options = *options, .turn = 1, .begin_ns = INT64_MIN };
    if (!reel->options.capacity) reel->options.capacity = TCSI_REEL_ROWS;
    if (!reel->options.reel_count) reel->options.reel_count = 1;
}

void tcsi_reel_deinit(tcsi_reel *reel)
{
    for (size_t i = 0; i < reel->piece_count; i++) tcsi_free(reel->pieces[i]);
    tcsi_free(reel->pieces);
    tcsi_free(reel->rows.items);
    *reel = (tcsi_reel){ 0 };
}

static size_t capacity_of(const tcsi_reel *reel)
{
    const size_t wanted = (size_t)reel->series_count * TCSI_REEL_ROWS_A_SERIES;
    return wanted > reel->options.capacity ? wanted : reel->options.capacity;
}

size_t tcsi_reel_size_max(size_t series_count)
{
    const size_t rows = tcsi_size_product(series_count, TCSI_REEL_ROWS_A_SERIES);
    const size_t row_size = tcsi_size_product(rows > TCSI_REEL_ROWS ? rows : TCSI_REEL_ROWS, sizeof(tcsi_reel_row));
    return tcsi_size_sum(row_size, tcsi_size_product(series_count / PIECE + 1, PIECE * sizeof(tcsi_reel_series) + sizeof(void *)));
}

/* ---- series ---- */

static bool add_piece(tcsi_reel *reel)
{
    tcsi_reel_series **pieces = tcsi_realloc_array(reel->pieces, reel->piece_count + 1, sizeof *pieces);
    if (!pieces) return false;
    reel->pieces = pieces;
    pieces[reel->piece_count] = TCSI_NEW_ZEROS(tcsi_reel_series, PIECE);
    reel->piece_count += pieces[reel->piece_count] != NULL;
    return pieces[reel->piece_count - 1] != NULL;
}

/* NULL: it was never met. */
static tcsi_reel_series *find_series(const tcsi_reel *reel, uint32_t place)
{
    return place < reel->series_count ? &reel->pieces[place / PIECE][place % PIECE] : NULL;
}

/* NULL: there is no memory for it. */
static tcsi_reel_series *meet_series(tcsi_reel *reel, uint32_t place)
{
    if (place < reel->series_count) return find_series(reel, place);
    while (place / PIECE >= reel->piece_count)
        if (!add_piece(reel)) return NULL;
    reel->series_count = place + 1;
    return find_series(reel, place);
}

void tcsi_reel_prefetch(const tcsi_reel *reel, uint32_t place)
{
    if (place >= reel->series_count) return;
    const char *series = (const char *)find_series(reel, place);
    __builtin_prefetch(series, 1);
    __builtin_prefetch(series + sizeof(tcsi_reel_series) - 1, 1);
}

/* ---- rows ---- */

static void give(tcsi_reel *reel)
{
    (void)tcsi_reel_save_rows(reel, SIZE_MAX);
    reel->options.give(reel->options.self, reel->options.index, &reel->rows);
    reel->rows.count = 0;
    if (++reel->turn == 0) reel->turn = 1;
}

/* Room for one more, by doubling; false: there is no memory. */
static bool make_room(tcsi_reel *reel)
{
    if (reel->rows.count < reel->rows.capacity) return true;
    const size_t most = capacity_of(reel), twice = reel->rows.capacity ? 2 * reel->rows.capacity : ROWS_BEGIN;
    const size_t capacity = twice < most ? twice : most;
    tcsi_reel_row *items = tcsi_realloc_array(reel->rows.items, capacity, sizeof *items);
    if (!items) return false;
    reel->rows.items = items;
    reel->rows.capacity = capacity;
    return true;
}

static uint32_t last_of(const tcsi_reel *reel, const tcsi_reel_series *series)
{
    return series->turn == reel->turn ? series->last : 0;
}

static void append(tcsi_reel *reel, tcsi_reel_series *series, tcsi_reel_row row)
{
    if (reel->rows.count >= capacity_of(reel)) give(reel);
    if (!make_room(reel)) {
        reel->lost_count += row.count;
        return;
    }
    row.before = last_of(reel, series);
    reel->rows.items[reel->rows.count++] = row;
    series->last = (uint32_t)reel->rows.count;
    if (row.before == 0) series->first = series->last;
    series->turn = reel->turn;
}

/* The nearest float of 12 significant bits: as near as TCSI_REEL_PRECISION says, and what comes out of a block is what was on the reel. */
static float shorten(double number)
{
    float narrow = (float)tcsi_at_most(tcsi_at_least(number, -NARROW_MAX), NARROW_MAX);
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    bits = (bits + DROPPED / 2 + 1) & ~(uint32_t)DROPPED;
    memcpy(&narrow, &bits, sizeof narrow);
    return narrow;
}

/* A distance >= 0 that is no shorter for it. */
static float distance(double from, double to)
{
    const double exact = to - from;
    float narrow = shorten(exact);
    uint32_t bits;
    if ((double)narrow >= exact) return narrow;
    memcpy(&bits, &narrow, sizeof bits);
    bits += DROPPED + 1;
    memcpy(&narrow, &bits, sizeof narrow);
    return narrow;
}

static tcsi_reel_row row_of_step(const tcsi_reel_series *series, uint32_t number)
{
    const double mean = fmin(fmax(series->sum / (double)series->count, series->low), series->high);
    const float scored = (float)series->scored_count;
    const bool is_scored = series->scored_count > 0;
    return (tcsi_reel_row){ .time_ns = series->time_ns, .value = mean, .below = distance(series->low, mean),
                            .above = distance(mean, series->high),
                            .residual = is_scored ? shorten((double)(series->residual / scored)) : NAN,
                            .deviation = is_scored ? shorten((double)(series->deviation / scored)) : NAN,
                            .score = is_scored ? shorten((double)series->score) : NAN,
                            .number = number, .count = series->count };
}

static void end_step(tcsi_reel *reel, tcsi_reel_series *series, uint32_t number)
{
    if (series->count == 0) return;
    append(reel, series, row_of_step(series, number));
    series->count = 0;
}

static void merge(tcsi_reel_series *series, const tcsi_reel_judged *row)
{
    if (series->count == 0) {
        series->time_ns = row->time_ns;
        series->sum = 0;
        series->low = series->high = row->value;
        series->residual = series->deviation = series->score = 0;
        series->scored_count = 0;
    }
    series->count++;
    series->sum += row->value;
    if (row->value < series->low) series->low = row->value;
    if (row->value > series->high) series->high = row->value;
    if (isnan(row->score)) return;
    series->scored_count++;
    series->residual += (float)(row->value - row->expected);
    series->deviation += (float)row->deviation;
    if ((float)row->score > series->score) series->score = (float)row->score;
}

static tcsi_reel_row row_alone(uint32_t number, const tcsi_reel_judged *row)
{
    const bool is_scored = !isnan(row->score);
    return (tcsi_reel_row){ .time_ns = row->time_ns, .value = row->value, .number = number, .count = 1,
                            .residual = is_scored ? shorten(row->value - row->expected) : NAN,
                            .deviation = is_scored ? shorten(row->deviation) : NAN, .score = is_scored ? shorten(row->score) : NAN };
}

void tcsi_reel_push(tcsi_reel *reel, uint32_t place, uint32_t number, const tcsi_reel_judged *row)
{
    if (!(reel->options.rows_per_s > 0)) return;
    tcsi_reel_series *series = meet_series(reel, place);
    reel->row_count++;
    if (!series) {
        reel->lost_count++;
        return;
    }
    if (reel->step_ns == 0) {
        end_step(reel, series, number);
        append(reel, series, row_alone(number, row));
        return;
    }
    if (series->count > 0 && (uint64_t)row->time_ns - (uint64_t)series->time_ns >= (uint64_t)reel->step_ns) end_step(reel, series, number);
    reel->merged_count += series->count > 0;
    merge(series, row);
}

/* ---- ticks ---- */

/* Rows a second that a step leaves, at most. */
static double rows_with(int64_t step_ns, uint32_t series_count, double rows_per_s)
{
    return step_ns == 0 ? rows_per_s : fmin(rows_per_s, (double)series_count * (double)SECOND_NS / (double)step_ns);
}

static void choose_step(tcsi_reel *reel, uint32_t series_count, double rows_per_s)
{
    const double rows_a_block = series_count > 0 ? fmax(TCSI_REEL_ROWS_A_SERIES, (double)reel->options.capacity / (double)series_count) : 1;
    const double most = fmin(reel->options.rows_per_s, BLOCKS_PER_S / (double)reel->options.reel_count * rows_a_block);
    int64_t step_ns = 0;
    for (size_t i = 0; i < TCS_COUNT(steps_s) && rows_with(step_ns, series_count, rows_per_s) > most; i++)
        step_ns = steps_s[i] * SECOND_NS;
    if (step_ns >= reel->step_ns || rows_with(step_ns, series_count, rows_per_s) <= STEP_SHRINK * most) reel->step_ns = step_ns;
}

void tcsi_reel_tick(tcsi_reel *reel, int64_t now_ns, uint32_t series_count, double rows_per_s)
{
    if (!(reel->options.rows_per_s > 0)) return;
    choose_step(reel, series_count, rows_per_s);
    if (reel->begin_ns == INT64_MIN) /* so that they do not all end at once */
        reel->begin_ns = now_ns - AGE_NS / (int64_t)reel->options.reel_count * (int64_t)reel->options.index;
    if (now_ns - reel->begin_ns < AGE_NS) return;
    reel->begin_ns = now_ns;
    if (reel->rows.count > 0) give(reel);
}

/* ---- reading ---- */

/* at, 1 + the index of a row, unless that is too old or there is none: 0. */
static uint32_t unless_old(const tcsi_reel *reel, uint32_t at, int64_t from_ns)
{
    return at > 0 && reel->rows.items[at - 1].time_ns >= from_ns ? at : 0;
}

tcs_status tcsi_reel_list(const tcsi_reel *reel, uint32_t place, int64_t from_ns, int64_t to_ns, tcsi_reel_each each, void *context,
                          tcs_error *err)
{
    const tcsi_reel_series *series = find_series(reel, place);
    if (!series) return TCS_OK;
    uint32_t last = unless_old(reel, last_of(reel, series), from_ns);
    if (last > 0 && reel->rows.items[series->first - 1].time_ns > to_ns) last = 0; /* all later than asked for: do not walk past them */
    while (last > 0 && reel->rows.items[last - 1].time_ns > to_ns) last = unless_old(reel, reel->rows.items[last - 1].before, from_ns);
    size_t count = 0;
    for (uint32_t at = last; at > 0; at = unless_old(reel, reel->rows.items[at - 1].before, from_ns)) count++;
    uint32_t *indices = tcsi_alloc_array(count, sizeof *indices);
    if (!indices) return tcsi_fail_memory(err, "rows of a series");
    size_t left = count;
    for (uint32_t at = last; at > 0; at = unless_old(reel, reel->rows.items[at - 1].before, from_ns)) indices[--left] = at - 1;
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < count; i++) goes_on = each(context, &reel->rows.items[indices[i]]);
    if (goes_on && series->count > 0) {
        const tcsi_reel_row open = row_of_step(series, 0);
        (void)each(context, &open);
    }
    tcsi_free(indices);
    return TCS_OK;
}

/* ---- saved form ---- */

static void put(unsigned char *at, uint64_t word, size_t size)
{
    for (size_t i = 0; i < size; i++) at[i] = (unsigned char)(word >> 8 * i);
}

static uint64_t get(const unsigned char *at, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) word |= (uint64_t)at[i] << 8 * i;
    return word;
}

/* 48 bytes a row in one piece: field by field a full reel would stop its worker for a tenth of a second. */
static void persist_row(tcsi_reel_row *row, tcsi_codec *codec)
{
    unsigned char bytes[SAVED_SIZE];
    float *const floats[] = { &row->below, &row->above, &row->residual, &row->deviation, &row->score };
    uint32_t *const integers[] = { &row->number, &row->before, &row->count };
    uint64_t wide;
    uint32_t narrow;
    if (!tcsi_codec_loading(codec)) {
        memcpy(&wide, &row->value, sizeof wide);
        put(bytes, (uint64_t)row->time_ns, 8);
        put(bytes + 8, wide, 8);
        for (size_t i = 0; i < TCS_COUNT(floats); i++) {
            memcpy(&narrow, floats[i], sizeof narrow);
            put(bytes + 16 + 4 * i, narrow, 4);
        }
        for (size_t i = 0; i < TCS_COUNT(integers); i++) put(bytes + 36 + 4 * i, *integers[i], 4);
    }
    tcsi_codec_bytes(codec, bytes, sizeof bytes);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    wide = get(bytes + 8, 8);
    row->time_ns = (int64_t)get(bytes, 8);
    memcpy(&row->value, &wide, sizeof wide);
    for (size_t i = 0; i < TCS_COUNT(floats); i++) {
        narrow = (uint32_t)get(bytes + 16 + 4 * i, 4);
        memcpy(floats[i], &narrow, sizeof narrow);
    }
    for (size_t i = 0; i < TCS_COUNT(integers); i++) *integers[i] = (uint32_t)get(bytes + 36 + 4 * i, 4);
}

static bool is_sound(const tcsi_reel_row *row, size_t index)
{
    const bool is_scored = !isnan(row->score);
    return row->before <= index && row->count > 0 && isfinite(row->value) && row->below >= 0 && row->above >= 0 &&
           is_scored == !isnan(row->residual) && is_scored == !isnan(row->deviation);
}

static void persist_head(tcsi_reel *reel, tcsi_codec *codec)
{
    uint32_t series_count = reel->series_count;
    size_t count = reel->rows.count;
    tcsi_codec_tag(codec, "REE2");
    tcsi_codec_u32(codec, &reel->turn);
    tcsi_codec_i64(codec, &reel->begin_ns);
    tcsi_codec_i64(codec, &reel->step_ns);
    tcsi_codec_u64(codec, &reel->row_count);
    tcsi_codec_u64(codec, &reel->merged_count);
    tcsi_codec_u64(codec, &reel->lost_count);
    tcsi_codec_u32(codec, &series_count);
    tcsi_codec_size(codec, &count, UINT32_MAX - 1);
    reel->saving = (tcsi_reel_saving){ .series_count = series_count, .count = count };
}

static void persist_rows(tcsi_reel *reel, size_t count, tcsi_codec *codec)
{
    tcsi_reel_saving *saving = &reel->saving;
    for (const size_t end = saving->next + count; saving->next < end && tcsi_codec_status(codec) == TCS_OK; saving->next++) {
        tcsi_reel_row *row = &reel->rows.items[saving->next];
        persist_row(row, codec);
        if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK && !is_sound(row, saving->next))
            tcsi_codec_refuse(codec, "a row of history out of range");
    }
}

void tcsi_reel_save(tcsi_reel *reel, uint32_t piece, tcsi_codec *codec)
{
    persist_head(reel, codec);
    reel->saving.codec = codec;
    reel->saving.piece = piece;
}

bool tcsi_reel_save_rows(tcsi_reel *reel, size_t count_max)
{
    tcsi_reel_saving *saving = &reel->saving;
    const size_t left = saving->codec ? saving->count - saving->next : 0;
    size_t count = left < count_max ? left : count_max;
    if (count > 0) {
        tcsi_codec_u32(saving->codec, &saving->piece);
        tcsi_codec_size(saving->codec, &count, UINT32_MAX);
        persist_rows(reel, count, saving->codec);
    }
    if (count == left) saving->codec = NULL;
    return saving->codec != NULL;
}

void tcsi_reel_load(tcsi_reel *reel, tcsi_codec *codec)
{
    persist_head(reel, codec);
    if (reel->turn == 0 || reel->step_ns < 0) tcsi_codec_refuse(codec, "a reel out of range");
    if (reel->saving.count > codec->in_size / SAVED_SIZE || reel->saving.series_count > codec->in_size / SAVED_SIZE)
        tcsi_codec_refuse(codec, "more rows than bytes");
    if (tcsi_codec_status(codec) != TCS_OK) return;
    reel->rows.items = reel->saving.count ? TCSI_NEW_ARRAY(tcsi_reel_row, reel->saving.count) : NULL;
    if ((reel->saving.count && !reel->rows.items) || (reel->saving.series_count && !meet_series(reel, reel->saving.series_count - 1))) {
        codec->status = tcsi_fail_memory(codec->err, "rows of history");
        return;
    }
    reel->rows.count = reel->rows.capacity = reel->saving.count;
}

void tcsi_reel_load_rows(tcsi_reel *reel, tcsi_codec *codec)
{
    size_t count = 0;
    tcsi_codec_size(codec, &count, UINT32_MAX);
    if (count > reel->saving.count - reel->saving.next) tcsi_codec_refuse(codec, "more rows of history than there are");
    persist_rows(reel, count, codec);
}

void tcsi_reel_persist_series(tcsi_reel *reel, uint32_t place, tcsi_codec *codec)
{
    if (place >= reel->saving.series_count) return;
    tcsi_reel_series *series = find_series(reel, place);
    tcsi_codec_i64(codec, &series->time_ns);
    tcsi_codec_f64(codec, &series->sum);
    tcsi_codec_f64(codec, &series->low);
    tcsi_codec_f64(codec, &series->high);
    tcsi_codec_f32(codec, &series->residual);
    tcsi_codec_f32(codec, &series->deviation);
    tcsi_codec_f32(codec, &series->score);
    tcsi_codec_u32(codec, &series->count);
    tcsi_codec_u32(codec, &series->scored_count);
    tcsi_codec_u32(codec, &series->first);
    tcsi_codec_u32(codec, &series->last);
    tcsi_codec_u32(codec, &series->turn);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    const uint32_t last = last_of(reel, series);
    const bool is_placed = last <= reel->rows.count && (last == 0 || (series->first > 0 && series->first <= last));
    if (!is_placed || series->scored_count > series->count || !(series->low <= series->high))
        tcsi_codec_refuse(codec, "a series' history out of range");
}

/* Nothing is kept from now on. */
static void forget(tcsi_reel *reel)
{
    const tcsi_reel_options options = reel->options;
    tcsi_reel_deinit(reel);
    tcsi_reel_init(reel, &options);
}

void tcsi_reel_loaded(tcsi_reel *reel, tcsi_codec *codec)
{
    if (reel->saving.next != reel->saving.count) tcsi_codec_refuse(codec, "rows of history are missing");
    if (tcsi_codec_status(codec) == TCS_OK && !(reel->options.rows_per_s > 0)) forget(reel);
}
