/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/silences.h"

#include "base/alloc.h"

#include <string.h>

typedef struct tcsi_silences_item {
    char id[sizeof ((tcsi_silence *)0)->id];
    tcsi_matcher *match;  /* (match_count) */
    size_t match_count;
    int64_t starts_ns, ends_ns;
    bool is_maintenance;
} item;

void tcsi_silences_init(tcsi_silences *silences)
{
    *silences = (tcsi_silences){ .items = NULL };
}

static void item_deinit(item *it)
{
    for (size_t i = 0; i < it->match_count; i++) tcsi_matcher_deinit(&it->match[i]);
    tcsi_free(it->match);
}

void tcsi_silences_deinit(tcsi_silences *silences)
{
    for (size_t i = 0; i < silences->count; i++) item_deinit(&silences->items[i]);
    tcsi_free(silences->items);
    *silences = (tcsi_silences){ .items = NULL };
}

static void forget(tcsi_silences *s, size_t at)
{
    item_deinit(&s->items[at]);
    memmove(&s->items[at], &s->items[at + 1], (s->count - at - 1) * sizeof *s->items);
    s->count--;
    s->generation++;
}

void tcsi_silences_end(tcsi_silences *silences, const char *id)
{
    for (size_t i = silences->count; i-- > 0;)
        if (strcmp(silences->items[i].id, id) == 0) forget(silences, i);
}

void tcsi_silences_expire(tcsi_silences *silences, int64_t now_ns)
{
    for (size_t i = silences->count; i-- > 0;)
        if (silences->items[i].ends_ns <= now_ns) forget(silences, i);
}

static tcs_status make_room(tcsi_silences *s, tcs_error *err)
{
    if (s->count == TCSI_SILENCES_MAX) return tcsi_fail(err, TCS_E_LIMIT, "more than %d silences", TCSI_SILENCES_MAX);
    const bool has_room = tcsi_grow((void **)&s->items, &s->capacity, s->count, sizeof *s->items, 16);
    return has_room ? TCS_OK : tcsi_fail_memory(err, "silences");
}

tcs_status tcsi_silences_add(tcsi_silences *silences, tcsi_silence *silence, tcs_error *err)
{
    item it = { .match_count = silence->match_count, .starts_ns = silence->starts_ns, .ends_ns = silence->ends_ns,
                .is_maintenance = silence->is_maintenance };
    tcsi_silences_end(silences, silence->id);
    const tcs_status status = make_room(silences, err);
    if (status != TCS_OK) return status;
    it.match = TCSI_NEW_ZEROS(tcsi_matcher, it.match_count ? it.match_count : 1);
    if (!it.match) return tcsi_fail_memory(err, "silences");
    memcpy(it.id, silence->id, sizeof it.id);
    memcpy(it.match, silence->match, it.match_count * sizeof *it.match);
    silence->match_count = 0; /* what was compiled for them belongs to the copies now */
    silences->items[silences->count++] = it;
    return TCS_OK;
}

bool tcsi_silences_hold(const tcsi_silences *silences, const tcsi_alert *alert, int64_t now_ns, int64_t *ret_until_ns)
{
    for (size_t i = 0; i < silences->count; i++) {
        const item *it = &silences->items[i];
        if (it->match_count == 0 || now_ns < it->starts_ns || now_ns >= it->ends_ns) continue;
        if (!tcsi_matchers_hold(it->match, it->match_count, alert->tags, alert->tag_count)) continue;
        *ret_until_ns = it->ends_ns;
        return true;
    }
    return false;
}

/* ---- keeping ---- */

static void persist_silence(tcsi_codec *codec, tcsi_silence *silence)
{
    tcs_error failure;
    size_t count = silence->match_count;
    tcsi_codec_text(codec, silence->id, sizeof silence->id);
    tcsi_codec_i64(codec, &silence->starts_ns);
    tcsi_codec_i64(codec, &silence->ends_ns);
    tcsi_codec_bool(codec, &silence->is_maintenance);
    tcsi_codec_size(codec, &count, TCSI_MATCHER_COUNT_MAX);
    for (size_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcsi_matcher *matcher = &silence->match[i];
        size_t kind = matcher->kind;
        tcsi_codec_text(codec, matcher->name, sizeof matcher->name);
        tcsi_codec_text(codec, matcher->value, sizeof matcher->value);
        tcsi_codec_size(codec, &kind, TCSI_MATCHER_KIND_COUNT - 1);
        if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) continue;
        if (tcsi_matcher_make(matcher->name, (tcsi_matcher_kind)kind, matcher->value, matcher, &failure) == TCS_OK) silence->match_count++;
        else tcsi_codec_refuse(codec, "a silence's matcher");
    }
}

static void save_item(tcsi_codec *codec, const item *it, tcsi_silence *room)
{
    *room = (tcsi_silence){ .match_count = it->match_count, .starts_ns = it->starts_ns, .ends_ns = it->ends_ns,
                            .is_maintenance = it->is_maintenance };
    memcpy(room->id, it->id, sizeof room->id);
    memcpy(room->match, it->match, it->match_count * sizeof *it->match);
    persist_silence(codec, room);
}

void tcsi_silences_persist(tcsi_silences *silences, tcsi_codec *codec)
{
    tcs_error failure;
    tcsi_silence room;
    size_t count = silences->count;
    tcsi_codec_tag(codec, "sil1");
    tcsi_codec_size(codec, &count, TCSI_SILENCES_MAX);
    if (!tcsi_codec_loading(codec)) {
        for (size_t i = 0; i < count; i++) save_item(codec, &silences->items[i], &room);
        return;
    }
    tcsi_silences_deinit(silences);
    for (size_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        room = (tcsi_silence){ .match_count = 0 };
        persist_silence(codec, &room);
        if (tcsi_codec_status(codec) == TCS_OK && tcsi_silences_add(silences, &room, &failure) != TCS_OK)
            codec->status = tcsi_fail_memory(codec->err, "silences");
        tcsi_silence_deinit(&room);
    }
}
