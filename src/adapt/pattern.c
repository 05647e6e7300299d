/* SPDX-License-Identifier: Apache-2.0 */
#include "adapt/pattern.h"

#include "base/bounds.h"

#include <math.h>
#include <stdlib.h>

static const double HEIGHT_WEIGHT = 0.05, HOUR_WEIGHT = 0.05, ONSET_WEIGHT = 4;
static const double HEIGHT_MAX = 1e6, LASTED_MAX = 1e12, REACH_MAX = 1e301;
static const int64_t DAY_NS = INT64_C(86400000000000);

/* Distances within which 0.001, 0.002, ... of unrelated pairs lie: answers_bench --distances. */
static const struct {
    double distance, share;
} shares[] = {
    { 0.0588, 0.001 }, { 0.0687, 0.002 }, { 0.0849, 0.005 }, { 0.1000, 0.01 }, { 0.1187, 0.02 }, { 0.1495, 0.05 }, { 0.1798, 0.1 },
    { 0.2201, 0.2 },   { 0.2516, 0.3 },   { 0.3173, 0.5 },   { 0.4092, 0.7 },  { 0.5844, 0.9 },  { 1.3024, 1 },
};

int8_t tcsi_pattern_step(double z)
{
    if (isnan(z)) return 0;
    z = tcsi_at_most(tcsi_at_least(z, -1e9), 1e9);
    return (int8_t)lrint(127 * z / (TCSI_PATTERN_SOFT + fabs(z)));
}

static double shape_square(const tcsi_onset *a, const tcsi_onset *b)
{
    double sum = 0;
    for (size_t i = 0; i < TCSI_PATTERN_SHAPE; i++) {
        const double difference = (a->shape[i] - b->shape[i]) / 127.0;
        sum += difference * difference * (i + 1 == TCSI_PATTERN_SHAPE ? ONSET_WEIGHT : 1);
    }
    return sum / (TCSI_PATTERN_SHAPE - 1 + ONSET_WEIGHT);
}

/* In half days since midnight, UTC. */
static double half_days(int64_t time_ns)
{
    const int64_t in_day = time_ns % DAY_NS;
    return (double)(in_day < 0 ? in_day + DAY_NS : in_day) / (double)(DAY_NS / 2);
}

static double hour_square(int64_t a_ns, int64_t b_ns)
{
    const double apart = fabs(half_days(a_ns) - half_days(b_ns)), around = fmin(apart, 2 - apart);
    return around * around;
}

double tcsi_pattern_distance(const tcsi_pattern *a, const tcsi_pattern *b)
{
    const double x = (double)a->onset.height, y = (double)b->onset.height;
    if (a->kind != b->kind || (x > 0) - (x < 0) != (y > 0) - (y < 0)) return INFINITY;
    const double ratio = x != 0 ? log(x / y) : 0;
    return sqrt(shape_square(&a->onset, &b->onset) + HEIGHT_WEIGHT * ratio * ratio + HOUR_WEIGHT * hour_square(a->begin_ns, b->begin_ns));
}

/* Straight lines between the table's rows. */
double tcsi_pattern_share(double distance)
{
    size_t i = 0;
    while (i < TCS_COUNT(shares) && !(distance <= shares[i].distance)) i++;
    if (i == TCS_COUNT(shares)) return 1;
    if (i == 0) return shares[0].share;
    const double part = (distance - shares[i - 1].distance) / (shares[i].distance - shares[i - 1].distance);
    return shares[i - 1].share + part * (shares[i].share - shares[i - 1].share);
}

/* ---- written and read ---- */

void tcsi_pattern_write(const tcsi_pattern *pattern, tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    tcsi_json_put_integer(writer, "series", pattern->series);
    tcsi_json_put_integer(writer, "family", pattern->family);
    tcsi_json_put_integer(writer, "kind", pattern->kind);
    tcsi_json_put_integer(writer, "begin_ns", pattern->begin_ns);
    tcsi_json_put_number(writer, "onset_height", (double)pattern->onset.height);
    tcsi_json_put_number(writer, "height", (double)pattern->height);
    tcsi_json_put_number(writer, "lasted", (double)pattern->lasted);
    tcsi_json_put_number(writer, "reach", pattern->reach);
    tcsi_json_key(writer, "shape");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < TCSI_PATTERN_SHAPE; i++) tcsi_json_integer(writer, pattern->onset.shape[i]);
    tcsi_json_end_array(writer);
    tcsi_json_end_object(writer);
}

/* The member's number, or NaN. */
static double number(const tcsi_json_value *object, const char *key, double low, double high)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && value->type == TCSI_JSON_NUMBER && value->number >= low && value->number <= high ? value->number : NAN;
}

static bool read_shape(const tcsi_json_value *array, int8_t ret_shape[TCSI_PATTERN_SHAPE])
{
    if (!array || array->type != TCSI_JSON_ARRAY || array->item_count != TCSI_PATTERN_SHAPE) return false;
    for (size_t i = 0; i < TCSI_PATTERN_SHAPE; i++) {
        const tcsi_json_value *item = &array->items[i];
        if (item->type != TCSI_JSON_NUMBER || !(fabs(item->number) <= 127)) return false;
        ret_shape[i] = (int8_t)item->number;
    }
    return true;
}

tcs_status tcsi_pattern_read(const tcsi_json_value *value, tcsi_pattern *ret_pattern, tcs_error *err)
{
    const double series = number(value, "series", 0, UINT32_MAX), family = number(value, "family", 0, UINT32_MAX);
    const double kind = number(value, "kind", 0, UINT8_MAX);
    const double begin = number(value, "begin_ns", -1e19, 1e19), onset = number(value, "onset_height", -HEIGHT_MAX, HEIGHT_MAX);
    const double height = number(value, "height", 0, HEIGHT_MAX), lasted = number(value, "lasted", 0, LASTED_MAX);
    const double reach = number(value, "reach", 0, REACH_MAX);
    tcsi_pattern pattern = { 0 };
    if (isnan(series + family + kind + begin + onset + height + lasted + reach) ||
        !read_shape(tcsi_json_get(value, "shape"), pattern.onset.shape))
        return tcsi_fail(err, TCS_E_FORMAT, "an episode's pattern: a number is missing or out of range");
    pattern.series = (uint32_t)series;
    pattern.family = (uint32_t)family;
    pattern.kind = (uint32_t)kind;
    pattern.begin_ns = strtoll(tcsi_json_get(value, "begin_ns")->text, NULL, 10); /* more digits than a double has */
    pattern.onset.height = (float)onset;
    pattern.height = (float)height;
    pattern.lasted = (float)lasted;
    pattern.reach = reach;
    *ret_pattern = pattern;
    return TCS_OK;
}

/* ---- saved form ---- */

void tcsi_onset_persist(tcsi_onset *onset, tcsi_codec *codec)
{
    tcsi_codec_bytes(codec, onset->shape, sizeof onset->shape);
    tcsi_codec_f32(codec, &onset->height);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!(fabs((double)onset->height) <= HEIGHT_MAX)) tcsi_codec_refuse(codec, "an onset out of range");
}

void tcsi_pattern_persist(tcsi_pattern *pattern, tcsi_codec *codec)
{
    tcsi_codec_u32(codec, &pattern->series);
    tcsi_codec_u32(codec, &pattern->family);
    tcsi_codec_u32(codec, &pattern->kind);
    tcsi_onset_persist(&pattern->onset, codec);
    tcsi_codec_f32(codec, &pattern->height);
    tcsi_codec_f32(codec, &pattern->lasted);
    tcsi_codec_f64(codec, &pattern->reach);
    tcsi_codec_i64(codec, &pattern->begin_ns);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    const bool is_sound = pattern->height >= 0 && (double)pattern->height <= HEIGHT_MAX && pattern->lasted >= 0 &&
                          (double)pattern->lasted <= LASTED_MAX && pattern->reach >= 0 && pattern->reach <= REACH_MAX;
    if (pattern->kind > UINT8_MAX || !is_sound) tcsi_codec_refuse(codec, "a pattern out of range");
}
