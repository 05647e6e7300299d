/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/coincidence.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };
static const double CHANCE = 0.01, STEP_S = 1;

tcsi_coincidence_options tcsi_coincidence_options_default(double alarms_per_s)
{
    return (tcsi_coincidence_options){ .alarms_per_s = alarms_per_s, .within_ns = (int64_t)(TCSI_WITHIN_S * 1e9), .place_count = 14,
                                       .places = { "host", "hostname", "host.name", "instance", "node", "server", "machine", "pod",
                                                   "container", "service", "service.name", "job", "rack", "cluster" } };
}

typedef struct tcsi_place {
    uint64_t hash;  /* 0: free */
    uint32_t count; /* series */
} place;

void tcsi_coincidence_init(tcsi_coincidence *coincidence, const tcsi_coincidence_options *options)
{
    TCS_ASSERT(options->place_count <= TCSI_PLACE_COUNT_MAX);
    *coincidence = (tcsi_coincidence){ .options = *options };
}

void tcsi_coincidence_set(tcsi_coincidence *coincidence, const tcsi_coincidence_options *options)
{
    const tcsi_coincidence_options *old = &coincidence->options;
    bool is_same = old->place_count == options->place_count;
    for (size_t i = 0; is_same && i < options->place_count; i++) is_same = strcmp(old->places[i], options->places[i]) == 0;
    coincidence->options = *options;
    if (is_same) return;
    if (coincidence->capacity) memset(coincidence->table, 0, coincidence->capacity * sizeof *coincidence->table);
    coincidence->place_count = 0;
    coincidence->series_count = 0;
}

void tcsi_coincidence_deinit(tcsi_coincidence *coincidence)
{
    tcsi_free(coincidence->table);
    *coincidence = (tcsi_coincidence){ .table = NULL };
}

/* ---- how many series are where ---- */

static place *find_place(place *table, size_t capacity, uint64_t hash)
{
    size_t at = (size_t)hash & (capacity - 1);
    while (table[at].hash && table[at].hash != hash) at = (at + 1) & (capacity - 1);
    return &table[at];
}

static tcs_status reserve(tcsi_coincidence *c, tcs_error *err)
{
    if (2 * (c->place_count + 1) <= c->capacity) return TCS_OK;
    const size_t capacity = c->capacity ? 2 * c->capacity : CAPACITY_MIN;
    place *table = TCSI_NEW_ZEROS(place, capacity);
    if (!table) return tcsi_fail_memory(err, "places of series");
    for (size_t i = 0; i < c->capacity; i++)
        if (c->table[i].hash) *find_place(table, capacity, c->table[i].hash) = c->table[i];
    tcsi_free(c->table);
    c->table = table;
    c->capacity = capacity;
    return TCS_OK;
}

static uint64_t hash_of(const char *name, const tcsi_tag *tag)
{
    const uint64_t seed = tcsi_fingerprint_of(name, strlen(name), 0).low;
    const uint64_t hash = tcsi_fingerprint_of(tag->value, tag->value_size, (uint32_t)seed).low;
    return hash ? hash : 1;
}

static void find_places(const tcsi_coincidence *c, const tcsi_key *key, uint64_t *ret_places)
{
    for (size_t i = 0; i < TCSI_PLACE_COUNT_MAX; i++) {
        const tcsi_tag *tag = i < c->options.place_count ? tcsi_key_get(key, c->options.places[i]) : NULL;
        ret_places[i] = tag ? hash_of(c->options.places[i], tag) : 0;
    }
}

static tcs_status count_series(tcsi_coincidence *c, const tcsi_directory_entry *entry, tcs_error *err)
{
    uint64_t places[TCSI_PLACE_COUNT_MAX];
    tcsi_key key;
    tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &key, err);
    if (status != TCS_OK) return status;
    find_places(c, &key, places);
    for (size_t i = 0; status == TCS_OK && i < TCSI_PLACE_COUNT_MAX; i++) {
        if (!places[i]) continue;
        status = reserve(c, err);
        if (status != TCS_OK) break;
        place *found = find_place(c->table, c->capacity, places[i]);
        c->place_count += !found->hash;
        found->hash = places[i];
        found->count++;
    }
    c->series_count++;
    return status;
}

tcs_status tcsi_coincidence_count(tcsi_coincidence *coincidence, const tcsi_directory *directory, uint64_t sequence, tcs_error *err)
{
    const uint32_t count = tcsi_directory_count(directory);
    tcs_status status = TCS_OK;
    while (status == TCS_OK && coincidence->series_count < count) {
        const tcsi_directory_entry *entry = tcsi_directory_entry_of(directory, coincidence->series_count);
        if (entry->sequence > sequence) break;
        status = count_series(coincidence, entry, err);
    }
    return status;
}

/* ---- chance ---- */

/* P(Poisson(lambda) >= least). */
static double chance_of(double lambda, size_t least)
{
    double term = exp(-lambda), below = 0;
    for (size_t i = 0; i < least; i++) {
        below += term;
        term *= lambda / (double)(i + 1);
    }
    return fmax(1 - below, 0);
}

static int64_t apart_ns(int64_t a, int64_t b)
{
    const uint64_t apart = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    return apart > INT64_MAX ? INT64_MAX : (int64_t)apart;
}

typedef struct near {
    const tcsi_beginning *onset;
    int64_t apart_ns;
} near;

/* Onsets that are near enough at all, the nearest first; of equally near ones the latest. */
static size_t find_near(const tcsi_coincidence *c, const tcsi_beginning *onset, near *ret_near)
{
    size_t count = 0;
    for (size_t i = 0; i < c->onset_count; i++) {
        const tcsi_beginning *other = &c->onsets[(c->onset_at + TCSI_ONSET_COUNT_MAX - 1 - i) % TCSI_ONSET_COUNT_MAX];
        const near found = { other, apart_ns(other->begin_ns, onset->begin_ns) };
        if (!other->group || found.apart_ns > c->options.within_ns) continue;
        size_t at = count++;
        for (; at > 0 && ret_near[at - 1].apart_ns > found.apart_ns; at--) ret_near[at] = ret_near[at - 1];
        ret_near[at] = found;
    }
    return count;
}

/* Scopes: 0 is the series itself, 1 all series, and then one a place. */
static bool is_in_scope(const tcsi_beginning *a, const tcsi_beginning *b, size_t scope)
{
    if (scope == 0) return a->number == b->number;
    return scope == 1 || (a->places[scope - 2] && a->places[scope - 2] == b->places[scope - 2]);
}

static double share_of(const tcsi_coincidence *c, const tcsi_beginning *onset, size_t scope)
{
    const double all = c->series_count ? c->series_count : 1;
    if (scope == 0) return 1 / all;
    if (scope == 1 || !c->capacity) return 1;
    return fmax(find_place(c->table, c->capacity, onset->places[scope - 2])->count, 1) / all;
}

/* Onsets in a scope, of different series: what one series tells twice is one story. */
typedef struct alike {
    uint64_t groups[TCSI_ONSET_COUNT_MAX];
    uint32_t numbers[TCSI_ONSET_COUNT_MAX];
    size_t count;
    double chance;
} alike;

static bool has_number(const alike *found, uint32_t number)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->numbers[i] == number) return true;
    return false;
}

/* The smallest number of nearest onsets in the scope that chance does not explain; none: count is 0. */
static void find_in_scope(const tcsi_coincidence *c, const tcsi_beginning *onset, const near *nearest, size_t count, size_t scope,
                          double step_s, alike *ret_found)
{
    const double rate = c->options.alarms_per_s * share_of(c, onset, scope);
    ret_found->count = 0;
    for (size_t i = 0; i < count; i++) {
        const tcsi_beginning *other = nearest[i].onset;
        if (!is_in_scope(other, onset, scope) || has_number(ret_found, other->number)) continue;
        if (scope > 0 && other->number == onset->number) continue;
        ret_found->numbers[ret_found->count] = other->number;
        ret_found->groups[ret_found->count++] = other->group;
        ret_found->chance = chance_of(rate * ((double)nearest[i].apart_ns * 1e-9 + step_s), ret_found->count);
        if (ret_found->chance <= CHANCE) return;
    }
    ret_found->count = 0;
}

tcsi_beginning tcsi_coincidence_onset(const tcsi_coincidence *coincidence, const tcsi_key *key, uint32_t number, int64_t begin_ns)
{
    tcsi_beginning onset = { .begin_ns = begin_ns, .number = number };
    find_places(coincidence, key, onset.places);
    return onset;
}

size_t tcsi_coincidence_find(const tcsi_coincidence *coincidence, const tcsi_beginning *onset, double step_s,
                             uint64_t ret_groups[TCSI_ONSET_COUNT_MAX])
{
    const tcsi_coincidence *c = coincidence;
    near nearest[TCSI_ONSET_COUNT_MAX];
    const size_t count = c->options.within_ns > 0 ? find_near(c, onset, nearest) : 0;
    alike best = { .chance = 2 }, found;
    for (size_t scope = 0; scope < 2 + c->options.place_count; scope++) {
        if (scope >= 2 && !onset->places[scope - 2]) continue;
        find_in_scope(c, onset, nearest, count, scope, fmax(step_s, STEP_S), &found);
        if (found.count > 0 && found.chance < best.chance) best = found;
    }
    memcpy(ret_groups, best.groups, best.count * sizeof *ret_groups);
    return best.count;
}

void tcsi_coincidence_add(tcsi_coincidence *coincidence, const tcsi_beginning *onset)
{
    coincidence->onsets[coincidence->onset_at] = *onset;
    coincidence->onset_at = (coincidence->onset_at + 1) % TCSI_ONSET_COUNT_MAX;
    if (coincidence->onset_count < TCSI_ONSET_COUNT_MAX) coincidence->onset_count++;
}

void tcsi_coincidence_regroup(tcsi_coincidence *coincidence, uint64_t group, uint64_t into)
{
    for (size_t i = 0; i < coincidence->onset_count; i++)
        if (coincidence->onsets[i].group == group) coincidence->onsets[i].group = into;
}

/* ---- saved form ---- */

static void persist_options(tcsi_coincidence_options *options, tcsi_codec *codec)
{
    tcsi_codec_f64(codec, &options->alarms_per_s);
    tcsi_codec_i64(codec, &options->within_ns);
    tcsi_codec_size(codec, &options->place_count, TCSI_PLACE_COUNT_MAX);
    for (size_t i = 0; i < options->place_count && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcsi_codec_bytes(codec, options->places[i], TCSI_PLACE_NAME_SIZE);
        options->places[i][TCSI_PLACE_NAME_SIZE - 1] = 0;
    }
    if (tcsi_codec_loading(codec) && (!(options->alarms_per_s >= 0 && isfinite(options->alarms_per_s)) || options->within_ns < 0))
        tcsi_codec_refuse(codec, "a budget out of range");
}

void tcsi_coincidence_persist(tcsi_coincidence *coincidence, const tcsi_directory *directory, tcsi_codec *codec)
{
    uint32_t series_count = coincidence->series_count;
    tcsi_codec_tag(codec, "COI1");
    persist_options(&coincidence->options, codec);
    tcsi_codec_u32(codec, &series_count);
    tcsi_codec_size(codec, &coincidence->onset_count, TCSI_ONSET_COUNT_MAX);
    tcsi_codec_size(codec, &coincidence->onset_at, TCSI_ONSET_COUNT_MAX - 1);
    for (size_t i = 0; i < coincidence->onset_count; i++) {
        tcsi_beginning *onset = &coincidence->onsets[i];
        tcsi_codec_u64(codec, &onset->group);
        tcsi_codec_i64(codec, &onset->begin_ns);
        for (size_t k = 0; k < TCSI_PLACE_COUNT_MAX; k++) tcsi_codec_u64(codec, &onset->places[k]);
        tcsi_codec_u32(codec, &onset->number);
    }
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (series_count > tcsi_directory_count(directory)) tcsi_codec_refuse(codec, "more series than there are");
    while (tcsi_codec_status(codec) == TCS_OK && coincidence->series_count < series_count)
        codec->status = count_series(coincidence, tcsi_directory_entry_of(directory, coincidence->series_count), codec->err);
}
