/* serve/history/read.c -- rows of one series, wherever they are.
 *
 * A row goes from the reel to the queue and from there to the store, and never back: so they are asked in this order, and a row that moved
 * meanwhile is met again rather than missed.  Times of a series only grow, so that a row met twice is known by its time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/inside.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "serve/history/roll.h"

enum { FOUND_SIZE_MAX = 1 << 28 };

/* Rows that are not in the store yet. */
typedef struct found {
    tcsi_buffer rows;     /* of tcsi_reel_row */
    uint32_t place;       /* of the series in its cell */
    int64_t from_ns, to_ns;
    tcs_status status;
    tcs_error *err;
} found;

static bool find_row(void *context, const tcsi_reel_row *row)
{
    found *f = context;
    f->status = tcsi_buffer_append(&f->rows, row, sizeof *row, f->err);
    return f->status == TCS_OK;
}

static void look_at_reel(void *context, const tcsi_cell *cell, const tcsi_live_series *series)
{
    found *f = context;
    (void)series;
    f->status = tcsi_reel_list(&cell->reel, f->place, f->from_ns, f->to_ns, find_row, f, f->err);
}

static void look_at_queue(tcsi_chronicle *history, size_t cell, uint32_t number, found *f)
{
    pthread_mutex_lock(&history->mutex);
    for (size_t t = 0; t < history->waiting_count && f->status == TCS_OK; t++) {
        const tcsi_reel_rows *rows = &history->waiting[t].rows;
        if (history->waiting[t].index != cell) continue;
        for (size_t i = 0; i < rows->count && f->status == TCS_OK; i++)
            if (rows->items[i].number == number && rows->items[i].time_ns >= f->from_ns) (void)find_row(f, &rows->items[i]);
    }
    pthread_mutex_unlock(&history->mutex);
}

/* On the way out: what was given last, so that nothing is given twice. */
typedef struct giving {
    tcsi_chronicle *history;
    int64_t from_ns, to_ns, last_ns;
    int64_t hours_ns;   /* hours before it, rows from it on */
    bool has_given, is_over;
    tcsi_chronicle_each each;
    void *context;
    tcs_status status;
    tcs_error *err;
} giving;

static bool give_row(giving *g, const tcsi_chronicle_row *row)
{
    const bool is_new = !g->has_given || row->time_ns > g->last_ns;
    if (!is_new || row->time_ns < g->from_ns || row->time_ns > g->to_ns) return true;
    g->has_given = true;
    g->last_ns = row->time_ns;
    g->is_over = !g->each(g->context, row);
    return !g->is_over;
}

static bool give_block(void *context, const tcsi_store_block *block)
{
    giving *g = context;
    tcsi_pack *pack = g->history->read_pack;
    bool goes_on = true;
    g->status = tcsi_pack_decode(pack, block->bytes, block->size, g->err);
    for (size_t i = 0; g->status == TCS_OK && goes_on && i < pack->count; i++) {
        const tcsi_chronicle_row row = tcsi_pack_row(pack, i);
        goes_on = give_row(g, &row);
    }
    return g->status == TCS_OK && goes_on;
}

static void give_found(giving *g, const tcsi_buffer *rows)
{
    const tcsi_reel_row *items = (const tcsi_reel_row *)(const void *)rows->data;
    for (size_t i = 0; !g->is_over && i < rows->size / sizeof *items; i++) {
        const tcsi_chronicle_row row = tcsi_chronicle_row_of(&items[i]);
        (void)give_row(g, &row);
    }
}

static tcs_status find_id(tcsi_chronicle *history, uint32_t number, int64_t *ret_id, tcs_error *err)
{
    pthread_mutex_lock(&history->mutex);
    *ret_id = number < history->begin_capacity ? history->ids[number] : 0;
    pthread_mutex_unlock(&history->mutex);
    if (*ret_id) return TCS_OK;
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(history->live), number);
    return tcsi_store_series_find(history->reader, entry->key, entry->key_size, ret_id, err);
}

/* The hours before hours_ns; what follows is read behind them. */
static tcs_status give_hours(giving *g, int64_t id)
{
    const int64_t from_ns = g->from_ns, to_ns = g->to_ns;
    const int64_t into_ns = from_ns % TCSI_ROLL_STEP_NS + (from_ns % TCSI_ROLL_STEP_NS < 0 ? TCSI_ROLL_STEP_NS : 0);
    if (from_ns >= INT64_MIN + TCSI_ROLL_STEP_NS) g->from_ns = from_ns - into_ns;
    if (g->hours_ns <= to_ns) g->to_ns = g->hours_ns - 1;
    const tcs_status status = tcsi_store_block_list(g->history->reader, id, TCSI_ROLL_BLOCKS, g->from_ns, g->to_ns, give_block, g, g->err);
    g->from_ns = g->hours_ns;
    g->to_ns = to_ns;
    return status;
}

/* Until when hours are read. */
static int64_t hours_until(tcsi_chronicle *history, int64_t step_ns)
{
    const int64_t rows_ns = tcsi_clock_wall_ns() - history->options.retention_ns; /* rows before it are forgotten, or will be */
    pthread_mutex_lock(&history->mutex);
    const int64_t rolled_ns = history->rolled_ns;
    pthread_mutex_unlock(&history->mutex);
    return step_ns >= TCSI_ROLL_STEP_NS || rolled_ns < rows_ns ? rolled_ns : rows_ns;
}

static void give_stored(giving *g, uint32_t number)
{
    tcsi_chronicle *history = g->history;
    int64_t id = 0;
    pthread_mutex_lock(&history->read_mutex);
    tcs_status status = find_id(history, number, &id, g->err);
    if (status == TCS_OK && id && g->hours_ns > g->from_ns) status = give_hours(g, id);
    if (status == TCS_OK && id && g->status == TCS_OK && !g->is_over)
        status = tcsi_store_block_list(history->reader, id, TCSI_CHRONICLE_BLOCKS, g->from_ns, g->to_ns, give_block, g, g->err);
    pthread_mutex_unlock(&history->read_mutex);
    if (g->status == TCS_OK) g->status = status;
}

tcs_status tcsi_chronicle_read(tcsi_chronicle *history, uint32_t number, int64_t from_ns, int64_t to_ns, int64_t step_ns,
                               tcsi_chronicle_each each, void *context, tcs_error *err)
{
    const tcsi_directory *directory = tcsi_live_directory(history->live);
    if (number >= tcsi_directory_count(directory)) return tcsi_fail(err, TCS_E_INVALID, "there is no series %u", number);
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(directory, number);
    found reeled = { .err = err, .place = entry->place, .from_ns = from_ns, .to_ns = to_ns }, queued = { .err = err, .from_ns = from_ns };
    giving g = { .history = history, .from_ns = from_ns, .to_ns = to_ns, .each = each, .context = context, .err = err,
                 .hours_ns = hours_until(history, step_ns) };
    tcsi_buffer_init(&reeled.rows, FOUND_SIZE_MAX);
    tcsi_buffer_init(&queued.rows, FOUND_SIZE_MAX);
    g.status = tcsi_live_ask(history->live, number, look_at_reel, &reeled) ? reeled.status : tcsi_fail_memory(err, "a question");
    if (g.status == TCS_OK) look_at_queue(history, entry->cell, number, &queued);
    if (g.status == TCS_OK) g.status = queued.status;
    if (g.status == TCS_OK) give_stored(&g, number);
    g.from_ns = from_ns; /* what is not in the store is in no hour */
    if (g.status == TCS_OK) give_found(&g, &queued.rows);
    if (g.status == TCS_OK) give_found(&g, &reeled.rows);
    tcsi_buffer_deinit(&reeled.rows);
    tcsi_buffer_deinit(&queued.rows);
    return g.status;
}
