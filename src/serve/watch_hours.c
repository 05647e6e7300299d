/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/watch_hours.h"

#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FORGET_MAX = 64, ID_SIZE = 32, DOCUMENT_SIZE_MAX = 1 << 14 };
static const int64_t KEPT_NS = TCSI_WATCH_HOURS_DAYS * 24 * TCSI_WATCH_HOUR_NS;
static const tcsi_watch_spread nothing = { .least = NAN, .mean = NAN, .greatest = NAN, .bound = NAN };

void tcsi_watch_hour_init(tcsi_watch_hour *hour, int64_t begin_ns)
{
    hour->begin_ns = begin_ns;
    for (size_t i = 0; i < TCSI_WATCH_COUNT; i++) hour->spreads[i] = nothing;
}

tcsi_watch_spread tcsi_watch_spread_join(const tcsi_watch_spread *earlier, const tcsi_watch_spread *later)
{
    if (!later->count) return *earlier;
    if (!earlier->count) return *later;
    const uint64_t count = earlier->count + later->count;
    return (tcsi_watch_spread){ .count = count, .least = fmin(earlier->least, later->least),
                                .mean = earlier->mean + (later->mean - earlier->mean) * ((double)later->count / (double)count),
                                .greatest = fmax(earlier->greatest, later->greatest), .bound = later->bound };
}

/* ---- one record ---- */

static void write_id(int64_t begin_ns, char ret_id[ID_SIZE])
{
    snprintf(ret_id, ID_SIZE, "%" PRId64, begin_ns / 1000000000);
}

static tcs_status write_document(const tcsi_watch_hour *hour, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    for (size_t i = 0; i < TCSI_WATCH_COUNT; i++) {
        const tcsi_watch_spread *spread = &hour->spreads[i];
        if (!spread->count) continue;
        tcsi_json_key(&writer, tcsi_watch_rows[i].name);
        tcsi_json_begin_object(&writer);
        tcsi_json_put_integer(&writer, "count", (int64_t)spread->count);
        tcsi_json_put_number(&writer, "least", spread->least);
        tcsi_json_put_number(&writer, "mean", spread->mean);
        tcsi_json_put_number(&writer, "greatest", spread->greatest);
        tcsi_json_put_number(&writer, "bound", spread->bound);
        tcsi_json_end_object(&writer);
    }
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static tcsi_watch_spread read_spread(const tcsi_json_value *object)
{
    const double count = tcsi_json_number_of(object, "count", 0);
    if (!(count >= 1 && count < 1e15)) return nothing;
    return (tcsi_watch_spread){ .count = (uint64_t)count, .least = tcsi_json_number_of(object, "least", NAN),
                                .mean = tcsi_json_number_of(object, "mean", NAN),
                                .greatest = tcsi_json_number_of(object, "greatest", NAN),
                                .bound = tcsi_json_number_of(object, "bound", NAN) };
}

tcs_status tcsi_watch_hour_read(const tcsi_store_record *record, tcsi_watch_hour *ret_hour, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    tcsi_arena arena;
    tcsi_arena_init(&arena, 1 << 20);
    const tcs_status status = tcsi_json_parse(record->document, strlen(record->document), &arena, &root, err);
    if (status == TCS_OK) {
        tcsi_watch_hour_init(ret_hour, record->begin_ns);
        for (size_t i = 0; i < TCSI_WATCH_COUNT; i++) ret_hour->spreads[i] = read_spread(tcsi_json_get(root, tcsi_watch_rows[i].name));
    }
    tcsi_arena_deinit(&arena);
    return status;
}

/* ---- the store ---- */

typedef struct found {
    tcsi_watch_hour *hour;
    bool is_there;
} found;

/* One that is damaged is begun anew: it is not worth more than what comes. */
static bool find_hour(void *context, const tcsi_store_record *record)
{
    found *f = context;
    tcs_error ignored;
    f->is_there = true;
    (void)!tcsi_watch_hour_read(record, f->hour, &ignored);
    return false;
}

static tcs_status put_hour(tcsi_store *store, const tcsi_watch_hour *hour, const char *id, int64_t now_ns, tcs_error *err)
{
    tcsi_buffer document;
    tcsi_buffer_init(&document, DOCUMENT_SIZE_MAX);
    tcs_status status = write_document(hour, &document, err);
    if (status == TCS_OK) {
        const tcsi_store_record record = { .kind = TCSI_STORE_WATCH, .id = id, .begin_ns = hour->begin_ns,
                                           .end_ns = hour->begin_ns + TCSI_WATCH_HOUR_NS - 1, .updated_ns = now_ns,
                                           .document = document.data };
        status = tcsi_store_record_put(store, &record, err);
    }
    tcsi_buffer_deinit(&document);
    return status;
}

typedef struct old {
    char ids[FORGET_MAX][ID_SIZE];
    size_t count;
} old;

static bool note_old(void *context, const tcsi_store_record *record)
{
    old *o = context;
    snprintf(o->ids[o->count++], ID_SIZE, "%s", record->id);
    return o->count < FORGET_MAX;
}

/* A portion: after a long stop the rest goes in the hours that follow. */
static tcs_status forget_old(tcsi_store *store, int64_t before_ns, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = TCSI_STORE_WATCH, .to_ns = before_ns - 1, .limit = FORGET_MAX };
    old o = { .count = 0 };
    tcs_status status = tcsi_store_record_list(store, &query, note_old, &o, err);
    for (size_t i = 0; status == TCS_OK && i < o.count; i++) status = tcsi_store_record_remove(store, TCSI_STORE_WATCH, o.ids[i], err);
    return status;
}

static tcs_status keep_within(tcsi_store *store, const tcsi_watch_hour *look, int64_t now_ns, tcs_error *err)
{
    char id[ID_SIZE];
    tcsi_watch_hour hour;
    found f = { .hour = &hour };
    write_id(look->begin_ns, id);
    tcsi_watch_hour_init(&hour, look->begin_ns);
    const tcsi_store_record_query query = { .kind = TCSI_STORE_WATCH, .id = id, .limit = 1 };
    tcs_status status = tcsi_store_record_list(store, &query, find_hour, &f, err);
    for (size_t i = 0; i < TCSI_WATCH_COUNT; i++) hour.spreads[i] = tcsi_watch_spread_join(&hour.spreads[i], &look->spreads[i]);
    if (status == TCS_OK) status = put_hour(store, &hour, id, now_ns, err);
    if (status == TCS_OK && !f.is_there) status = forget_old(store, look->begin_ns - KEPT_NS, err);
    return status;
}

tcs_status tcsi_watch_hours_keep(tcsi_store *store, const tcsi_watched watched[TCSI_WATCH_COUNT], int64_t now_ns, tcs_error *err)
{
    tcsi_watch_hour look;
    bool is_known = false;
    tcsi_watch_hour_init(&look, now_ns - now_ns % TCSI_WATCH_HOUR_NS);
    for (size_t i = 0; i < TCSI_WATCH_COUNT; i++) {
        const double value = watched[i].value;
        if (!isfinite(value)) continue;
        look.spreads[i] = (tcsi_watch_spread){ .count = 1, .least = value, .mean = value, .greatest = value, .bound = watched[i].bound };
        is_known = true;
    }
    if (!is_known) return TCS_OK;
    tcs_status status = tcsi_store_begin(store, err);
    if (status != TCS_OK) return status;
    status = keep_within(store, &look, now_ns, err);
    if (status == TCS_OK) return tcsi_store_commit(store, err);
    tcsi_store_rollback(store);
    return status;
}
