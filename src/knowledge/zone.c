/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/zone.h"

#include "base/file.h"
#include "series/time.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_SIZE = 44, DAY_S = 86400, OFFSET_MAX = 26 * 3600 };

/* ---- names ---- */

bool tcsi_zone_fixed(const char *name, tcsi_zone *ret_zone)
{
    int hours = 0, minutes = 0, used = 0;
    char sign[2] = "+";
    const bool is_utc = strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0;
    const bool is_offset = !is_utc && sscanf(name, "%1[+-]%2d:%2d%n", sign, &hours, &minutes, &used) == 3 && name[used] == 0;
    if (!is_utc && !(is_offset && hours >= 0 && hours <= 14 && minutes >= 0 && minutes < 60)) return false;
    const int32_t offset_s = (*sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    *ret_zone = (tcsi_zone){ .offset_first_s = offset_s, .rule = tcsi_calendar_fixed(offset_s) };
    snprintf(ret_zone->name, sizeof ret_zone->name, "%s", name);
    return true;
}

/* A relative path of plain names: nothing that leaves the folder. */
static bool is_sound_name(const char *name)
{
    if (strlen(name) >= TCSI_ZONE_NAME_SIZE || *name == '/' || strstr(name, "..") || !isupper((unsigned char)*name)) return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_+-/", *at)) return false;
    return true;
}

tcs_status tcsi_zone_file(const char *name, tcsi_buffer *bytes, tcs_error *err)
{
    static const char *const folders[] = { NULL, "/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo" };
    char path[512];
    for (size_t i = 0; i < TCS_COUNT(folders) && is_sound_name(name); i++) {
        const char *folder = folders[i] ? folders[i] : getenv("TZDIR");
        if (!folder) continue;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (tcsi_file_read(path, bytes, NULL) == TCS_OK && bytes->size > 4 && memcmp(bytes->data, "TZif", 4) == 0) return TCS_OK;
        tcsi_buffer_clear(bytes);
    }
    return tcsi_fail(err, TCS_E_FORMAT, "no time zone '%.60s' is known here; expected UTC, +02:00 or a name such as Europe/Berlin", name);
}

/* ---- TZif ---- */

typedef struct tzif {
    const unsigned char *at;
    size_t left;
    bool is_short; /* something was missing */
} tzif;

/* Counts of a header, in its order. */
typedef struct counts {
    size_t utc, standard, leap, time, type, character;
} counts;

static uint64_t take(tzif *in, size_t size)
{
    uint64_t value = 0;
    if (in->left < size) {
        in->is_short = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++) value = value << 8 | in->at[i];
    in->at += size;
    in->left -= size;
    return value;
}

static void skip(tzif *in, size_t size)
{
    if (in->left < size) in->is_short = true;
    else {
        in->at += size;
        in->left -= size;
    }
}

static counts take_header(tzif *in, unsigned *ret_version)
{
    counts c = { 0 };
    size_t *const fields[] = { &c.utc, &c.standard, &c.leap, &c.time, &c.type, &c.character };
    if (in->left < HEADER_SIZE || memcmp(in->at, "TZif", 4) != 0) {
        in->is_short = true;
        return c;
    }
    *ret_version = in->at[4];
    skip(in, 20);
    for (size_t i = 0; i < TCS_COUNT(fields); i++) *fields[i] = (size_t)take(in, 4);
    for (size_t i = 0; i < TCS_COUNT(fields); i++) in->is_short |= *fields[i] > TCSI_ZONE_SIZE_MAX;
    return c;
}

static size_t block_size(const counts *c, size_t time_size)
{
    return c->time * time_size + c->time + c->type * 6 + c->character + c->leap * (time_size + 4) + c->standard + c->utc;
}

/* ---- the rule at the end: POSIX TZ, as in CET-1CEST,M3.5.0,M10.5.0/3 ---- */

static bool skip_name(const char **at)
{
    const char *begin = *at;
    if (*begin == '<') {
        const char *close = strchr(begin, '>');
        *at = close ? close + 1 : begin;
    } else while (isalpha((unsigned char)**at)) ++*at;
    return *at - begin >= 3;
}

/* [+-]h[h[h]][:mm[:ss]] in seconds. */
static bool take_clock(const char **at, int32_t *ret_s)
{
    int32_t parts[3] = { 0 }, sign = 1;
    if (**at == '+' || **at == '-') sign = *(*at)++ == '-' ? -1 : 1;
    for (size_t i = 0; i < 3; i++) {
        size_t digits = 0;
        if (i > 0 && **at != ':') break;
        if (i > 0) ++*at;
        for (; isdigit((unsigned char)**at) && digits < 3; digits++) parts[i] = parts[i] * 10 + (*(*at)++ - '0');
        if (digits == 0) return false;
    }
    *ret_s = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return parts[0] <= 167 && parts[1] < 60 && parts[2] < 60;
}

static bool take_change(const char **at, tcsi_calendar_change *ret_change)
{
    unsigned month, week, day;
    int used = 0;
    int32_t second = 7200;
    if (sscanf(*at, ",M%2u.%1u.%1u%n", &month, &week, &day, &used) != 3 || used == 0) return false;
    *at += used;
    if (**at == '/') {
        ++*at;
        if (!take_clock(at, &second)) return false;
    }
    *ret_change = (tcsi_calendar_change){ (uint8_t)month, (uint8_t)week, (uint8_t)((day + 6) % 7), second };
    return month >= 1 && month <= 12 && week >= 1 && week <= 5 && day <= 6;
}

static bool parse_rule(const char *text, tcsi_calendar *ret_rule)
{
    int32_t west_s, summer_west_s;
    const char *at = text;
    if (!skip_name(&at) || !take_clock(&at, &west_s) || abs(west_s) > OFFSET_MAX) return false;
    *ret_rule = tcsi_calendar_fixed(-west_s);
    if (*at == 0) return true;
    summer_west_s = west_s - 3600;
    if (!skip_name(&at)) return false;
    if (*at != ',' && !take_clock(&at, &summer_west_s)) return false;
    ret_rule->summer_s = west_s - summer_west_s;
    return abs(summer_west_s) <= OFFSET_MAX && take_change(&at, &ret_rule->summer_begin) && take_change(&at, &ret_rule->summer_end) &&
        *at == 0;
}

/* ---- a zone ---- */

static bool take_body(tzif *in, const counts *c, tcsi_zone *zone, int64_t *changes_s, int32_t *offsets_s)
{
    for (size_t i = 0; i < c->time; i++) {
        changes_s[i] = (int64_t)take(in, 8);
        if (i > 0 && changes_s[i] <= changes_s[i - 1]) return false;
    }
    const unsigned char *kinds = in->at, *types = in->at + c->time;
    skip(in, c->time + c->type * 6);
    if (in->is_short || c->type == 0) return false;
    for (size_t i = 0; i <= c->time; i++) {
        const size_t kind = i < c->time ? kinds[i] : 0; /* times before the first change are of type 0 */
        if (kind >= c->type) return false;
        const unsigned char *type = types + 6 * kind;
        const int32_t offset_s = (int32_t)((uint32_t)type[0] << 24 | (uint32_t)type[1] << 16 | (uint32_t)type[2] << 8 | type[3]);
        if (offset_s < -OFFSET_MAX || offset_s > OFFSET_MAX) return false;
        *(i < c->time ? &offsets_s[i] : &zone->offset_first_s) = offset_s;
    }
    skip(in, c->character + c->leap * 12 + c->standard + c->utc);
    return !in->is_short;
}

tcs_status tcsi_zone_parse(const char *name, const void *bytes, size_t size, tcsi_arena *arena, tcsi_zone *ret_zone, tcs_error *err)
{
    tzif in = { .at = bytes, .left = size };
    unsigned version = 0;
    char text[128] = "";
    tcsi_zone zone = { 0 };
    counts c = take_header(&in, &version);
    if (!in.is_short && version >= '2') {
        skip(&in, block_size(&c, 4));
        c = take_header(&in, &version);
    }
    if (in.is_short || version < '2' || size > TCSI_ZONE_SIZE_MAX || block_size(&c, 8) > in.left)
        return tcsi_fail(err, TCS_E_FORMAT, "time zone '%.60s': damaged data", name);
    int64_t *changes_s = TCSI_ARENA_NEW(arena, int64_t, c.time + 1);
    int32_t *offsets_s = TCSI_ARENA_NEW(arena, int32_t, c.time + 1);
    if (!changes_s || !offsets_s) return tcsi_fail_memory(err, "a time zone");
    if (!take_body(&in, &c, &zone, changes_s, offsets_s) || in.left < 2 || *in.at != '\n')
        return tcsi_fail(err, TCS_E_FORMAT, "time zone '%.60s': damaged data", name);
    const unsigned char *end = memchr(in.at + 1, '\n', in.left - 1);
    const size_t length = end ? (size_t)(end - in.at) - 1 : sizeof text;
    if (length >= sizeof text || memchr(in.at, 0, length)) return tcsi_fail(err, TCS_E_FORMAT, "time zone '%.60s': damaged data", name);
    memcpy(text, in.at + 1, length);
    if (length == 0) zone.rule = tcsi_calendar_fixed(c.time > 0 ? offsets_s[c.time - 1] : zone.offset_first_s);
    else if (!parse_rule(text, &zone.rule))
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "time zone '%.60s': its rule '%.60s' is none by month, week and day", name, text);
    zone.count = c.time;
    zone.changes_s = changes_s;
    zone.offsets_s = offsets_s;
    snprintf(zone.name, sizeof zone.name, "%s", name);
    *ret_zone = zone;
    return TCS_OK;
}

/* ---- clocks ---- */

static const int64_t MOMENT_S_MAX = INT64_MAX / TCSI_NS_PER_S - 1; /* year 2262 */

int32_t tcsi_zone_offset_s(const tcsi_zone *zone, int64_t utc_s)
{
    size_t low = 0, high = zone->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (zone->changes_s[middle] <= utc_s) low = middle + 1;
        else high = middle;
    }
    if (low == 0 && zone->count > 0) return zone->offset_first_s;
    if (low < zone->count) return zone->offsets_s[low - 1];
    const int64_t clamped_s = utc_s > MOMENT_S_MAX ? MOMENT_S_MAX : utc_s < -MOMENT_S_MAX ? -MOMENT_S_MAX : utc_s;
    return tcsi_calendar_offset_s(&zone->rule, clamped_s * TCSI_NS_PER_S);
}

int64_t tcsi_zone_moment(const tcsi_zone *zone, int64_t local_s)
{
    const int32_t before_s = tcsi_zone_offset_s(zone, local_s - DAY_S - OFFSET_MAX);
    const int32_t after_s = tcsi_zone_offset_s(zone, local_s + DAY_S + OFFSET_MAX);
    const int64_t first = local_s - before_s, second = local_s - after_s;
    if (tcsi_zone_offset_s(zone, first) == before_s) return first;
    return tcsi_zone_offset_s(zone, second) == after_s ? second : first;
}
