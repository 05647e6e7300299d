/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/directory.h"

#include "base/alloc.h"
#include "serve/ingest/rate.h"

#include <string.h>

enum { PIECE = 4096, BYTES_PIECE = 1 << 20, CAPACITY_MIN = 1024, FINGERPRINTS_A_SERIES = 4 };

typedef struct tcsi_directory_slot {
    tcsi_fingerprint hash;
    uint32_t series; /* TCSI_SERIES_NONE: free */
} slot;

/* ---- tables ---- */

static slot *new_slots(size_t capacity)
{
    slot *slots = TCSI_NEW_ARRAY(slot, capacity);
    for (size_t i = 0; slots && i < capacity; i++) slots[i].series = TCSI_SERIES_NONE;
    return slots;
}

static void insert(slot *slots, size_t capacity, tcsi_fingerprint hash, uint32_t series)
{
    size_t at = (size_t)hash.low & (capacity - 1);
    while (slots[at].series != TCSI_SERIES_NONE) at = (at + 1) & (capacity - 1);
    slots[at] = (slot){ hash, series };
}

/* Room for one more: at most half of the slots are taken. */
static tcs_status table_reserve(tcsi_directory_table *table, tcs_error *err)
{
    if (2 * (table->count + 1) <= table->capacity) return TCS_OK;
    const size_t capacity = table->capacity ? 2 * table->capacity : CAPACITY_MIN;
    slot *slots = new_slots(capacity);
    if (!slots) return tcsi_fail_memory(err, "a directory of series");
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].series != TCSI_SERIES_NONE) insert(slots, capacity, table->slots[i].hash, table->slots[i].series);
    tcsi_free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
    return TCS_OK;
}

static void table_add(tcsi_directory_table *table, tcsi_fingerprint hash, uint32_t series)
{
    insert(table->slots, table->capacity, hash, series);
    table->count++;
}

uint32_t tcsi_directory_find(const tcsi_directory *directory, tcsi_fingerprint fingerprint)
{
    const tcsi_directory_table *table = &directory->by_fingerprint;
    for (size_t at = (size_t)fingerprint.low & (table->capacity - 1); table->slots[at].series != TCSI_SERIES_NONE;
         at = (at + 1) & (table->capacity - 1))
        if (tcsi_fingerprint_equal(table->slots[at].hash, fingerprint)) return table->slots[at].series;
    return TCSI_SERIES_NONE;
}

static uint32_t find_bytes(const tcsi_directory *directory, tcsi_fingerprint hash, const unsigned char *bytes, size_t size)
{
    const tcsi_directory_table *table = &directory->by_key;
    for (size_t at = (size_t)hash.low & (table->capacity - 1); table->slots[at].series != TCSI_SERIES_NONE;
         at = (at + 1) & (table->capacity - 1)) {
        if (!tcsi_fingerprint_equal(table->slots[at].hash, hash)) continue;
        const tcsi_directory_entry *entry = tcsi_directory_entry_of(directory, table->slots[at].series);
        if (entry->key_size == size && memcmp(entry->key, bytes, size) == 0) return table->slots[at].series;
    }
    return TCSI_SERIES_NONE;
}

/* ---- life ---- */

tcs_status tcsi_directory_init(tcsi_directory *directory, size_t series_count_max, tcs_error *err)
{
    *directory = (tcsi_directory){ .series_count_max = series_count_max < TCSI_SERIES_NONE ? series_count_max : TCSI_SERIES_NONE - 1 };
    const size_t piece_count = directory->series_count_max / PIECE + 1;
    directory->pieces = TCSI_NEW_ZEROS(tcsi_directory_entry *, piece_count);
    tcs_status status = directory->pieces ? TCS_OK : tcsi_fail_memory(err, "a directory of series");
    if (status == TCS_OK) status = table_reserve(&directory->by_fingerprint, err);
    if (status == TCS_OK) status = table_reserve(&directory->by_key, err);
    if (status != TCS_OK) tcsi_directory_deinit(directory);
    return status;
}

void tcsi_directory_deinit(tcsi_directory *directory)
{
    for (size_t i = 0; directory->pieces && i <= directory->series_count_max / PIECE; i++) tcsi_free(directory->pieces[i]);
    for (size_t i = 0; i < directory->byte_piece_count; i++) tcsi_free(directory->byte_pieces[i]);
    tcsi_free(directory->byte_pieces);
    tcsi_free(directory->pieces);
    tcsi_free(directory->by_fingerprint.slots);
    tcsi_free(directory->by_key.slots);
    memset(directory, 0, sizeof *directory);
}

uint32_t tcsi_directory_count(const tcsi_directory *directory)
{
    return atomic_load_explicit(&directory->count, memory_order_acquire);
}

const tcsi_directory_entry *tcsi_directory_entry_of(const tcsi_directory *directory, uint32_t series)
{
    return &directory->pieces[series / PIECE][series % PIECE];
}

uint32_t tcsi_directory_find_key(const tcsi_directory *directory, const tcsi_key *key)
{
    unsigned char bytes[TCSI_KEY_SIZE_MAX];
    const size_t size = tcsi_key_encode(key, bytes);
    return find_bytes(directory, tcsi_fingerprint_of(bytes, size, 0), bytes, size);
}

size_t tcsi_directory_size_max(size_t series_count)
{
    size_t capacity = CAPACITY_MIN;
    while (capacity < 2 * series_count) capacity *= 2;
    return 2 * capacity * sizeof(slot) + series_count * (sizeof(tcsi_directory_entry) + 200) + BYTES_PIECE;
}

/* ---- one more series ---- */

static tcs_status reserve_bytes(tcsi_directory *directory, size_t size, tcs_error *err)
{
    if (size <= directory->bytes_left) return TCS_OK;
    unsigned char **pieces = tcsi_realloc_array(directory->byte_pieces, directory->byte_piece_count + 1, sizeof *pieces);
    if (!pieces) return tcsi_fail_memory(err, "keys of series");
    directory->byte_pieces = pieces;
    pieces[directory->byte_piece_count] = tcsi_alloc(BYTES_PIECE);
    if (!pieces[directory->byte_piece_count]) return tcsi_fail_memory(err, "keys of series");
    directory->bytes = pieces[directory->byte_piece_count++];
    directory->bytes_left = BYTES_PIECE;
    return TCS_OK;
}

static tcs_status add(tcsi_directory *directory, tcsi_fingerprint hash, const unsigned char *bytes, size_t size,
                      const tcsi_directory_source *source, uint32_t *ret_series, tcs_error *err)
{
    const uint32_t series = tcsi_directory_count(directory), cell = (uint32_t)(hash.high % TCSI_CELL_COUNT);
    if (series >= directory->series_count_max)
        return tcsi_fail(err, TCS_E_LIMIT, "a new series beyond the %zu that may be live", directory->series_count_max);
    tcsi_directory_entry **piece = &directory->pieces[series / PIECE];
    if (!*piece && !(*piece = TCSI_NEW_ZEROS(tcsi_directory_entry, PIECE))) return tcsi_fail_memory(err, "a directory of series");
    tcs_status status = table_reserve(&directory->by_key, err);
    if (status == TCS_OK) status = reserve_bytes(directory, size, err);
    if (status != TCS_OK) return status;
    memcpy(directory->bytes, bytes, size);
    (*piece)[series % PIECE] = (tcsi_directory_entry){ .key = directory->bytes, .key_size = (uint32_t)size, .cell = (uint8_t)cell,
                                                       .kind = (uint8_t)source->kind, .place = directory->cell_counts[cell]++,
                                                       .first_seen_ns = source->time_ns, .sequence = source->sequence };
    directory->bytes += size;
    directory->bytes_left -= size;
    table_add(&directory->by_key, hash, series);
    atomic_store_explicit(&directory->count, series + 1, memory_order_release);
    *ret_series = series;
    return TCS_OK;
}

tcs_status tcsi_directory_resolve(tcsi_directory *directory, tcsi_fingerprint fingerprint, const tcsi_key *key,
                                  const tcsi_directory_source *source, uint32_t *ret_series, bool *ret_is_new, tcs_error *err)
{
    tcsi_directory_source known = *source;
    unsigned char bytes[TCSI_KEY_SIZE_MAX];
    const size_t size = tcsi_key_encode(key, bytes);
    const tcsi_fingerprint hash = tcsi_fingerprint_of(bytes, size, 0);
    const bool is_remembered = directory->by_fingerprint.count < FINGERPRINTS_A_SERIES * directory->series_count_max;
    tcs_status status = is_remembered ? table_reserve(&directory->by_fingerprint, err) : TCS_OK;
    if (status != TCS_OK) return status;
    *ret_series = find_bytes(directory, hash, bytes, size);
    *ret_is_new = *ret_series == TCSI_SERIES_NONE;
    known.kind = tcsi_rate_kind(source->kind, key);
    if (*ret_is_new) status = add(directory, hash, bytes, size, &known, ret_series, err);
    if (status == TCS_OK && is_remembered) table_add(&directory->by_fingerprint, fingerprint, *ret_series);
    return status;
}

/* ---- saved form ---- */

static void load_entry(tcsi_directory *directory, tcsi_codec *codec)
{
    unsigned char bytes[TCSI_KEY_SIZE_MAX];
    size_t size = 0;
    uint32_t kind = 0, series;
    tcsi_directory_source source = { .time_ns = 0 };
    tcsi_key key;
    tcs_error err;
    tcsi_codec_size(codec, &size, sizeof bytes);
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_codec_bytes(codec, bytes, size);
    tcsi_codec_u32(codec, &kind);
    tcsi_codec_i64(codec, &source.time_ns);
    tcsi_codec_u64(codec, &source.sequence);
    source.kind = (tcsi_series_kind)kind;
    if (tcsi_codec_status(codec) != TCS_OK) return;
    const tcsi_fingerprint hash = tcsi_fingerprint_of(bytes, size, 0);
    if (kind > TCSI_SERIES_RATE || tcsi_key_decode(bytes, size, &key, &err) != TCS_OK) tcsi_codec_refuse(codec, "a key that is none");
    else if (find_bytes(directory, hash, bytes, size) != TCSI_SERIES_NONE) tcsi_codec_refuse(codec, "a series twice");
    else if (add(directory, hash, bytes, size, &source, &series, &err) != TCS_OK)
        codec->status = tcsi_fail(codec->err, err.status, "%s", err.text);
}

void tcsi_directory_persist(tcsi_directory *directory, uint32_t count, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "DIR2");
    tcsi_codec_u32(codec, &count);
    for (uint32_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        if (tcsi_codec_loading(codec)) {
            load_entry(directory, codec);
            continue;
        }
        const tcsi_directory_entry *entry = tcsi_directory_entry_of(directory, i);
        size_t size = entry->key_size;
        uint32_t kind = entry->kind;
        int64_t time_ns = entry->first_seen_ns;
        uint64_t sequence = entry->sequence;
        unsigned char bytes[TCSI_KEY_SIZE_MAX];
        memcpy(bytes, entry->key, size);
        tcsi_codec_size(codec, &size, TCSI_KEY_SIZE_MAX);
        tcsi_codec_bytes(codec, bytes, size);
        tcsi_codec_u32(codec, &kind);
        tcsi_codec_i64(codec, &time_ns);
        tcsi_codec_u64(codec, &sequence);
    }
}
