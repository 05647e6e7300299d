/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/chronicle.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "serve/history/inside.h"
#include "serve/history/roll.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCKS_A_COMMIT = 500, FORGET_AT_ONCE = 500, BLOCK_SIZE_MAX = 1 << 22 };
static const int64_t WAIT_NS = INT64_C(2000000000), SETTLE_NS = INT64_C(10000000000), RETRY_NS = INT64_C(200000000),
                     FORGET_NS = INT64_C(60000000000);

/* ---- waiting ---- */

static struct timespec after(int64_t ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const int64_t sum = until.tv_nsec + ns;
    until.tv_sec += (time_t)(sum / 1000000000);
    until.tv_nsec = (long)(sum % 1000000000);
    return until;
}

/* ---- reels in ---- */

/* The rows change hands, and a spare one, or none, comes back. */
static void exchange(tcsi_chronicle *history, waiting_reel *slot, size_t index, tcsi_reel_rows *rows)
{
    *slot = (waiting_reel){ .index = index, .rows = *rows };
    *rows = (tcsi_reel_rows){ 0 };
    if (history->spare_count > 0) *rows = history->spares[--history->spare_count];
    rows->count = 0;
}

void tcsi_chronicle_give(void *self, size_t index, tcsi_reel_rows *rows)
{
    tcsi_chronicle *history = self;
    const struct timespec until = after(WAIT_NS);
    pthread_mutex_lock(&history->mutex);
    bool has_waited = history->is_failing; /* then nobody does */
    while (history->waiting_count == TCSI_CHRONICLE_QUEUE && !has_waited && !history->is_ending)
        has_waited = pthread_cond_timedwait(&history->written, &history->mutex, &until) != 0 || history->is_failing;
    const bool is_dropped = history->waiting_count == TCSI_CHRONICLE_QUEUE;
    const size_t count = rows->count;
    if (is_dropped) history->stats.dropped_count += count;
    else exchange(history, &history->waiting[history->waiting_count++], index, rows);
    history->given_count += !is_dropped;
    pthread_cond_broadcast(&history->filled);
    pthread_mutex_unlock(&history->mutex);
    if (is_dropped && !history->is_ending)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-HISTORY-DROPPED", "%zu rows of history were dropped: the store is too slow, or fails",
                             count);
}

tcs_status tcsi_chronicle_settle(tcsi_chronicle *history, tcs_error *err)
{
    const struct timespec until = after(SETTLE_NS);
    pthread_mutex_lock(&history->mutex);
    const uint64_t wanted = history->given_count;
    while (history->written_count < wanted && !history->is_ending)
        if (pthread_cond_timedwait(&history->written, &history->mutex, &until) != 0) break;
    const bool is_written = history->written_count >= wanted;
    pthread_mutex_unlock(&history->mutex);
    return is_written ? TCS_OK : tcsi_fail(err, TCS_E_IO, "rows of history are not in the store yet");
}

/* ---- blocks ---- */

static tcs_status make_room(tcsi_chronicle *history, size_t row_count, size_t series_count, tcs_error *err)
{
    if (row_count > history->order_capacity) {
        uint32_t *order = tcsi_realloc_array(history->order, row_count, sizeof *order);
        if (!order) return tcsi_fail_memory(err, "rows of history");
        history->order = order;
        history->order_capacity = row_count;
    }
    if (series_count + 1 <= history->begin_capacity) return TCS_OK;
    const size_t capacity = series_count + series_count / 2 + 1024;
    uint32_t *begins = tcsi_realloc_array(history->begins, capacity, sizeof *begins);
    if (begins) history->begins = begins;
    int64_t *ids = begins ? tcsi_realloc_array(history->ids, capacity, sizeof *ids) : NULL;
    if (!ids) return tcsi_fail_memory(err, "series of history");
    memset(ids + history->begin_capacity, 0, (capacity - history->begin_capacity) * sizeof *ids);
    history->ids = ids;
    history->begin_capacity = capacity;
    return TCS_OK;
}

/* Rows of each series one after the other, in their order: order[begins[s] .. begins[s + 1]).  A counting sort. */
static void sort_rows(tcsi_chronicle *history, const tcsi_reel_rows *rows, size_t series_count)
{
    uint32_t *begins = history->begins, sum = 0;
    memset(begins, 0, (series_count + 1) * sizeof *begins);
    for (size_t i = 0; i < rows->count; i++) begins[rows->items[i].number]++;
    for (size_t s = 0; s <= series_count; s++) {
        const uint32_t count = begins[s];
        begins[s] = sum;
        sum += count;
    }
    for (size_t i = 0; i < rows->count; i++) history->order[begins[rows->items[i].number]++] = (uint32_t)i;
    memmove(begins + 1, begins, series_count * sizeof *begins); /* each stands at its end, which is where the next begins */
    begins[0] = 0;
}

/* The id that the store knows the series by; remembered. */
static tcs_status find_id(tcsi_chronicle *history, uint32_t number, int64_t *ret_id, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(history->live), number);
    tcsi_key key;
    if (history->ids[number]) {
        *ret_id = history->ids[number];
        return TCS_OK;
    }
    tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &key, err);
    tcsi_buffer_clear(&history->name);
    if (status == TCS_OK) status = tcsi_key_print(&key, &history->name, err);
    if (status != TCS_OK) return status;
    const tcsi_store_series series = { .tags = entry->key, .tags_size = entry->key_size, .text = history->name.data,
                                       .first_seen_ns = entry->first_seen_ns };
    return tcsi_store_series_put(history->writer, &series, ret_id, err);
}

static tcs_status put_block(tcsi_chronicle *history, int64_t id, tcs_error *err)
{
    const tcsi_pack *pack = history->pack;
    tcsi_buffer_clear(&history->bytes);
    const tcs_status status = tcsi_pack_encode(pack, &history->bytes, err);
    if (status != TCS_OK) return status;
    const tcsi_store_block block = { .series_id = id, .kind = TCSI_CHRONICLE_BLOCKS, .first_ns = pack->times_ns[0],
                                     .last_ns = pack->times_ns[pack->count - 1], .row_count = (uint32_t)pack->count,
                                     .bytes = history->bytes.data, .size = history->bytes.size };
    history->putting.block_count++;
    history->putting.byte_count += history->bytes.size;
    return tcsi_store_block_put(history->writer, &block, err);
}

static tcs_status put_series(tcsi_chronicle *history, const tcsi_reel_rows *rows, uint32_t number, tcs_error *err)
{
    int64_t id;
    tcs_status status = find_id(history, number, &id, err);
    if (status == TCS_OK) status = tcsi_roll_note(history, rows->items[history->order[history->begins[number]]].time_ns, err);
    for (size_t i = history->begins[number], end = history->begins[number + 1]; status == TCS_OK && i < end;) {
        tcsi_pack_begin(history->pack);
        for (; i < end && history->pack->count < TCSI_PACK_ROWS; i++) tcsi_pack_add(history->pack, &rows->items[history->order[i]]);
        status = put_block(history, id, err);
    }
    if (status == TCS_OK) history->putting_ids[history->putting_id_count++] = (known_id){ number, id };
    return status;
}

/* Some series in one scope, from *number on; ids count once they are committed. */
static tcs_status put_some(tcsi_chronicle *history, const tcsi_reel_rows *rows, uint32_t *number, size_t series_count, tcs_error *err)
{
    history->putting = (tcsi_chronicle_stats){ 0 };
    history->putting_id_count = 0;
    uint32_t at = *number;
    tcs_status status = tcsi_store_begin(history->writer, err);
    if (status != TCS_OK) return status;
    for (; status == TCS_OK && at < series_count && history->putting_id_count < BLOCKS_A_COMMIT; at++)
        if (history->begins[at] < history->begins[at + 1]) status = put_series(history, rows, at, err);
    if (status != TCS_OK) {
        tcsi_store_rollback(history->writer);
        return status;
    }
    status = tcsi_store_commit(history->writer, err);
    if (status != TCS_OK) return status;
    pthread_mutex_lock(&history->mutex);
    for (size_t i = 0; i < history->putting_id_count; i++) history->ids[history->putting_ids[i].number] = history->putting_ids[i].id;
    history->stats.block_count += history->putting.block_count;
    history->stats.byte_count += history->putting.byte_count;
    pthread_mutex_unlock(&history->mutex);
    *number = at;
    return TCS_OK;
}

static tcs_status put_reel(tcsi_chronicle *history, const tcsi_reel_rows *rows, tcs_error *err)
{
    const size_t series_count = tcsi_directory_count(tcsi_live_directory(history->live));
    pthread_mutex_lock(&history->mutex); /* readers look at ids */
    tcs_status status = make_room(history, rows->count, series_count, err);
    pthread_mutex_unlock(&history->mutex);
    if (status != TCS_OK) return status;
    sort_rows(history, rows, series_count);
    for (uint32_t number = 0; status == TCS_OK && number < series_count && !history->is_ending;)
        status = put_some(history, rows, &number, series_count, err);
    return status;
}

/* ---- the thread ---- */

static void note_failure(tcsi_chronicle *history, const tcs_error *failure)
{
    pthread_mutex_lock(&history->mutex);
    if (!history->is_failing) tcsi_log(TCSI_LOG_ERROR, "SERVE-HISTORY-FAILED", "rows of history wait: %s", failure->text);
    history->is_failing = true;
    history->stats.failure_count++;
    pthread_cond_broadcast(&history->written); /* nobody waits for it any more */
    const struct timespec until = after(RETRY_NS);
    while (!history->is_ending && pthread_cond_timedwait(&history->ending, &history->mutex, &until) == 0) continue;
    pthread_mutex_unlock(&history->mutex);
}

/* Under the mutex: the first that waits is in the store. */
static void end_first(tcsi_chronicle *history)
{
    waiting_reel done = history->waiting[0];
    history->stats.kept_count += done.rows.count;
    history->waiting_count--;
    memmove(history->waiting, history->waiting + 1, history->waiting_count * sizeof *history->waiting);
    if (history->spare_count < TCSI_CHRONICLE_QUEUE) history->spares[history->spare_count++] = done.rows;
    else tcsi_free(done.rows.items);
    history->written_count++;
    history->is_failing = false;
    pthread_cond_broadcast(&history->written);
}

static void put_first(tcsi_chronicle *history)
{
    tcs_error failure = { 0 };
    const tcsi_reel_rows rows = history->waiting[0].rows; /* only this thread takes them away */
    pthread_mutex_unlock(&history->mutex);
    const bool is_secure = tcsi_live_wait_secure(history->live, WAIT_NS);
    const tcs_status status = is_secure ? put_reel(history, &rows, &failure)
                                        : tcsi_fail(&failure, TCS_E_IO, "the journal does not have them on the disk");
    if (status != TCS_OK) note_failure(history, &failure);
    pthread_mutex_lock(&history->mutex);
    if (status == TCS_OK && !history->is_ending) end_first(history);
}

/* One portion, of rows and of hours; whether there may be more. */
static bool forget_some(tcsi_chronicle *history)
{
    tcs_error failure = { 0 };
    size_t count = 0, hour_count = 0;
    const int64_t now_ns = tcsi_clock_wall_ns(), age_ns = history->options.retention_ns;
    const int64_t hours_ns = age_ns < now_ns / TCSI_ROLL_TIMES ? TCSI_ROLL_TIMES * age_ns : now_ns;
    pthread_mutex_unlock(&history->mutex);
    tcs_status status = tcsi_store_block_forget(history->writer, TCSI_CHRONICLE_BLOCKS, now_ns - age_ns, FORGET_AT_ONCE, &count, &failure);
    if (status == TCS_OK)
        status = tcsi_store_block_forget(history->writer, TCSI_ROLL_BLOCKS, now_ns - hours_ns, FORGET_AT_ONCE, &hour_count, &failure);
    if (status != TCS_OK) note_failure(history, &failure);
    pthread_mutex_lock(&history->mutex);
    if (status == TCS_OK) history->is_failing = false;
    history->stats.forgotten_count += status == TCS_OK ? count + hour_count : 0;
    return status == TCS_OK && (count == FORGET_AT_ONCE || hour_count == FORGET_AT_ONCE);
}

static void roll_some(tcsi_chronicle *history)
{
    tcs_error failure = { 0 };
    pthread_mutex_unlock(&history->mutex);
    if (tcsi_roll_some(history, &failure) != TCS_OK) note_failure(history, &failure);
    pthread_mutex_lock(&history->mutex);
}

static void *run(void *argument)
{
    tcsi_chronicle *history = argument;
    tcsi_thread_lower(TCSI_URGENCY_LOW);
    int64_t forget_ns = tcsi_clock_monotonic_ns();
    pthread_mutex_lock(&history->mutex);
    while (!history->is_ending) {
        const int64_t now_ns = tcsi_clock_monotonic_ns();
        if (history->waiting_count > 0) put_first(history);
        else if (now_ns >= forget_ns) forget_ns = forget_some(history) ? now_ns : now_ns + FORGET_NS;
        else if (tcsi_roll_is_due(history, tcsi_clock_wall_ns())) roll_some(history);
        else {
            const struct timespec until = after(forget_ns - now_ns);
            pthread_cond_timedwait(&history->filled, &history->mutex, &until);
        }
    }
    pthread_mutex_unlock(&history->mutex);
    return NULL;
}

/* ---- life ---- */

tcs_status tcsi_chronicle_create(const tcsi_chronicle_options *options, tcsi_chronicle **ret_history, tcs_error *err)
{
    const tcsi_store_options must_exist = { .must_exist = true };
    tcsi_chronicle *history = TCSI_NEW(tcsi_chronicle);
    if (!history) return tcsi_fail_memory(err, "history");
    history->options = *options;
    if (!(history->options.rows_per_s > 0)) history->options.rows_per_s = TCSI_CHRONICLE_RATE;
    if (history->options.retention_ns <= 0) history->options.retention_ns = TCSI_CHRONICLE_RETENTION_NS;
    tcsi_buffer_init(&history->name, 4 * TCSI_KEY_SIZE_MAX);
    tcsi_buffer_init(&history->bytes, BLOCK_SIZE_MAX);
    pthread_mutex_init(&history->mutex, NULL);
    pthread_mutex_init(&history->read_mutex, NULL);
    pthread_cond_init(&history->filled, NULL);
    pthread_cond_init(&history->written, NULL);
    pthread_cond_init(&history->ending, NULL);
    history->pack = TCSI_NEW(tcsi_pack);
    history->read_pack = TCSI_NEW(tcsi_pack);
    history->putting_ids = TCSI_NEW_ZEROS(known_id, BLOCKS_A_COMMIT);
    tcs_status status = history->pack && history->read_pack && history->putting_ids ? TCS_OK : tcsi_fail_memory(err, "history");
    if (status == TCS_OK) status = tcsi_store_open(options->store, &must_exist, &history->writer, err);
    if (status == TCS_OK) status = tcsi_store_open(options->store, &must_exist, &history->reader, err);
    if (status == TCS_OK) status = tcsi_roll_begin(history, tcsi_clock_wall_ns(), err);
    if (status == TCS_OK) *ret_history = history;
    else tcsi_chronicle_destroy(history);
    return status;
}

tcsi_reel_options tcsi_chronicle_reel_options(tcsi_chronicle *history)
{
    return (tcsi_reel_options){ .rows_per_s = history->options.rows_per_s / TCSI_CELL_COUNT, .give = tcsi_chronicle_give, .self = history,
                                .reel_count = TCSI_CELL_COUNT, .capacity = history->options.reel_rows };
}

tcs_status tcsi_chronicle_start(tcsi_chronicle *history, tcsi_live *live, tcs_error *err)
{
    history->live = live;
    if (pthread_create(&history->thread, NULL, run, history) != 0) return tcsi_fail(err, TCS_E_IO, "no thread for history");
    history->is_running = true;
    return TCS_OK;
}

void tcsi_chronicle_stop(tcsi_chronicle *history)
{
    if (!history) return;
    pthread_mutex_lock(&history->mutex);
    history->is_ending = true;
    pthread_cond_broadcast(&history->filled);
    pthread_cond_broadcast(&history->written);
    pthread_cond_broadcast(&history->ending);
    pthread_mutex_unlock(&history->mutex);
    if (history->is_running) pthread_join(history->thread, NULL);
    history->is_running = false;
}

void tcsi_chronicle_destroy(tcsi_chronicle *history)
{
    if (!history) return;
    tcsi_chronicle_stop(history);
    for (size_t i = 0; i < history->waiting_count; i++) tcsi_free(history->waiting[i].rows.items);
    for (size_t i = 0; i < history->spare_count; i++) tcsi_free(history->spares[i].items);
    tcsi_store_close(history->writer);
    tcsi_store_close(history->reader);
    tcsi_buffer_deinit(&history->name);
    tcsi_buffer_deinit(&history->bytes);
    tcsi_free(history->pack);
    tcsi_free(history->read_pack);
    tcsi_free(history->putting_ids);
    tcsi_free(history->order);
    tcsi_free(history->begins);
    tcsi_free(history->ids);
    pthread_cond_destroy(&history->ending);
    pthread_cond_destroy(&history->written);
    pthread_cond_destroy(&history->filled);
    pthread_mutex_destroy(&history->read_mutex);
    pthread_mutex_destroy(&history->mutex);
    tcsi_free(history);
}

tcsi_chronicle_stats tcsi_chronicle_stat(tcsi_chronicle *history)
{
    pthread_mutex_lock(&history->mutex);
    tcsi_chronicle_stats stats = history->stats;
    stats.waiting_count = history->waiting_count;
    stats.rolled_ns = history->rolled_ns;
    pthread_mutex_unlock(&history->mutex);
    return stats;
}

size_t tcsi_chronicle_size_max(size_t series_count)
{
    const size_t a_cell = series_count / TCSI_CELL_COUNT + 1, reel = tcsi_reel_size_max(a_cell);
    const size_t queue = tcsi_size_product(TCSI_CHRONICLE_QUEUE + 1, reel), order = reel / sizeof(tcsi_reel_row) * sizeof(uint32_t);
    return tcsi_size_sum(queue, tcsi_size_sum(order, tcsi_size_sum(tcsi_size_product(series_count, 18), 2 * sizeof(tcsi_pack))));
}
