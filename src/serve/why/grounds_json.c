/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/why/grounds_json.h"

#include "serve/shard/second_look.h"
#include "series/time.h"

#include <math.h>
#include <string.h>

enum { CHART_SIZE = 10, CHART_SIZE_BEFORE = 8, SCALE_SIZE = 6 }; /* documents of before a chart had its reaches have no such */

/* ---- writing ---- */

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

static void put_numbers(tcsi_json_writer *writer, const char *key, const double *values, size_t count)
{
    tcsi_json_key(writer, key);
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < count; i++) tcsi_json_number(writer, values[i]);
    tcsi_json_end_array(writer);
}

static void write_row(tcsi_json_writer *writer, const char *key, const tcsi_grounds_row *row)
{
    const tcsi_residual_chart *c = &row->chart;
    const tcsi_cohort_member *m = &row->member;
    const double chart[CHART_SIZE] = { c->level, c->last, (double)c->variance, (double)c->covariance, (double)c->residual_square,
                                       (double)c->step_last, c->count, c->clipped_run, (double)c->reach, (double)c->rest_reach };
    const double scale[SCALE_SIZE] = { (double)m->usual, (double)m->bar, (double)m->peak, m->count, m->since, m->open_for };
    tcsi_json_key(writer, key);
    tcsi_json_begin_object(writer);
    put_time(writer, "time", row->time_ns);
    tcsi_json_put_number(writer, "value", row->value);
    if (row->is_known) {
        put_time(writer, "received", row->received_ns);
        tcsi_json_put_number(writer, "threshold", row->threshold);
        tcsi_json_put_number(writer, "threshold_low", row->threshold_low);
        put_numbers(writer, "chart", chart, CHART_SIZE);
        put_numbers(writer, "scale", scale, SCALE_SIZE);
    }
    tcsi_json_end_object(writer);
}

static void write_answer(tcsi_json_writer *writer, const tcsi_grounds_answer *answer)
{
    char model[TCSI_HASH_TEXT_SIZE];
    tcsi_hash_text(answer->model, model);
    tcsi_json_key(writer, "answer");
    tcsi_json_begin_object(writer);
    put_time(writer, "time", answer->time_ns);
    tcsi_json_put_string(writer, "model", model);
    tcsi_json_put_integer(writer, "sort", answer->sort);
    tcsi_json_put_number(writer, "p_value", (double)answer->p_value);
    tcsi_json_put_number(writer, "mean", (double)answer->mean);
    tcsi_json_put_number(writer, "limit", (double)answer->limit);
    tcsi_json_key(writer, "window");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < TCSI_LAST_ROWS; i++) tcsi_json_integer(writer, answer->rows[i]);
    tcsi_json_end_array(writer);
    tcsi_json_end_object(writer);
}

void tcsi_grounds_write(const tcsi_grounds *grounds, tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    tcsi_json_put_integer(writer, "sequence", (int64_t)grounds->sequence);
    tcsi_json_put_string(writer, "opened_by", tcsi_grounds_by_names[grounds->opened_by]);
    tcsi_json_put_number(writer, "allowed", grounds->allowed);
    tcsi_json_put_number(writer, "sure", grounds->sure);
    tcsi_json_put_number(writer, "hold", grounds->hold);
    if (grounds->confirmed_by) {
        put_time(writer, "confirmed", grounds->confirmed_ns);
        tcsi_json_put_string(writer, "confirmed_by", tcsi_grounds_by_names[grounds->confirmed_by]);
        tcsi_json_put_integer(writer, "lasted", grounds->lasted);
    }
    write_row(writer, "onset", &grounds->onset);
    if (grounds->peak.time_ns != grounds->onset.time_ns) write_row(writer, "peak", &grounds->peak);
    if (grounds->answer.time_ns) write_answer(writer, &grounds->answer);
    tcsi_json_end_object(writer);
}

/* ---- reading ---- */

static bool get_number(const tcsi_json_value *object, const char *key, double *ret_number)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    if (!value || value->type != TCSI_JSON_NUMBER) return false;
    *ret_number = value->number;
    return true;
}

/* null: infinite. */
static bool get_height(const tcsi_json_value *object, const char *key, double *ret_height)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    *ret_height = INFINITY;
    return value && (value->type == TCSI_JSON_NULL || (get_number(object, key, ret_height) && *ret_height >= 0));
}

static bool get_count(const tcsi_json_value *object, const char *key, double most, uint32_t *ret_count)
{
    double number;
    if (!get_number(object, key, &number) || !(number >= 0 && number <= most)) return false;
    *ret_count = (uint32_t)number;
    return true;
}

static bool get_time(const tcsi_json_value *object, const char *key, int64_t *ret_ns)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && value->type == TCSI_JSON_STRING && tcsi_time_parse(&iso, value->text, value->text_size, ret_ns);
}

static bool get_numbers(const tcsi_json_value *object, const char *key, double *ret_values, size_t count)
{
    const tcsi_json_value *list = tcsi_json_get(object, key);
    if (!list || list->type != TCSI_JSON_ARRAY || list->item_count != count) return false;
    for (size_t i = 0; i < count; i++) {
        if (list->items[i].type != TCSI_JSON_NUMBER || !isfinite(list->items[i].number)) return false;
        ret_values[i] = list->items[i].number;
    }
    return true;
}

static bool get_by(const tcsi_json_value *object, const char *key, uint32_t *ret_by)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    *ret_by = TCSI_GROUNDS_NONE;
    for (uint32_t i = 0; value && value->type == TCSI_JSON_STRING && i < TCSI_GROUNDS_BY_COUNT; i++)
        if (strcmp(value->text, tcsi_grounds_by_names[i]) == 0) *ret_by = i;
    return *ret_by != TCSI_GROUNDS_NONE;
}

static bool fits(const double *values, size_t count, double most)
{
    for (size_t i = 0; i < count; i++)
        if (!(values[i] >= 0 && values[i] <= most)) return false;
    return true;
}

static bool read_row(const tcsi_json_value *value, tcsi_grounds_row *ret_row)
{
    double c[CHART_SIZE] = { 0 }, m[SCALE_SIZE];
    tcsi_grounds_row row = { .is_known = false };
    if (!get_time(value, "time", &row.time_ns) || !get_number(value, "value", &row.value)) return false;
    *ret_row = row;
    if (!tcsi_json_get(value, "chart")) return true;
    if (!get_numbers(value, "chart", c, CHART_SIZE) && !get_numbers(value, "chart", c, CHART_SIZE_BEFORE)) return false;
    if (!get_numbers(value, "scale", m, SCALE_SIZE)) return false;
    if (!get_height(value, "threshold", &row.threshold) || !get_height(value, "threshold_low", &row.threshold_low)) return false;
    if (!get_time(value, "received", &row.received_ns)) return false;
    const bool is_chart = fits(c + 6, 2, UINT32_MAX) && c[2] >= 0 && c[4] >= 0 && c[8] >= 0 && c[9] >= 0;
    const bool is_scale = m[0] > 0 && m[1] >= 1 && fits(m + 3, 1, UINT32_MAX) && fits(m + 4, 2, UINT16_MAX);
    if (!is_chart || !is_scale) return false;
    row.is_known = true;
    row.chart = (tcsi_residual_chart){ .level = c[0], .last = c[1], .variance = (float)c[2], .covariance = (float)c[3],
                                       .residual_square = (float)c[4], .step_last = (float)c[5], .count = (uint32_t)c[6],
                                       .clipped_run = (uint32_t)c[7], .reach = (float)c[8], .rest_reach = (float)c[9] };
    row.member = (tcsi_cohort_member){ .usual = (float)m[0], .bar = (float)m[1], .peak = (float)m[2], .count = (uint32_t)m[3],
                                       .since = (uint16_t)m[4], .open_for = (uint16_t)m[5] };
    *ret_row = row;
    return true;
}

static bool read_hash(const tcsi_json_value *value, unsigned char ret_hash[TCSI_HASH_SIZE])
{
    if (!value || value->type != TCSI_JSON_STRING || value->text_size != 2 * TCSI_HASH_SIZE) return false;
    for (size_t i = 0; i < 2 * TCSI_HASH_SIZE; i++) {
        const char c = value->text[i];
        const bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && !(c >= 'a' && c <= 'f')) return false;
        const unsigned digit = (unsigned)(is_digit ? c - '0' : c - 'a' + 10);
        ret_hash[i / 2] = (unsigned char)(i % 2 ? ret_hash[i / 2] | digit : digit << 4);
    }
    return true;
}

static bool read_answer(const tcsi_json_value *value, tcsi_grounds_answer *ret_answer)
{
    double rows[TCSI_LAST_ROWS], p_value, mean, limit;
    tcsi_grounds_answer answer = { .sort = 0 };
    if (!value) return true;
    if (!get_time(value, "time", &answer.time_ns) || !read_hash(tcsi_json_get(value, "model"), answer.model)) return false;
    if (!get_count(value, "sort", TCSI_QUESTION_SORT_COUNT - 1, &answer.sort) || !get_number(value, "p_value", &p_value)) return false;
    if (!get_number(value, "mean", &mean) || !get_number(value, "limit", &limit)) return false;
    if (!get_numbers(value, "window", rows, TCSI_LAST_ROWS) || !(p_value > 0 && p_value <= 1 && mean > 0 && limit >= 0)) return false;
    answer.p_value = (float)p_value;
    answer.mean = (float)mean;
    answer.limit = (float)limit;
    for (size_t i = 0; i < TCSI_LAST_ROWS; i++) {
        if (fabs(rows[i]) > INT16_MAX) return false;
        answer.rows[i] = (int16_t)rows[i];
    }
    *ret_answer = answer;
    return true;
}

bool tcsi_grounds_read(const tcsi_json_value *value, tcsi_grounds *ret_grounds)
{
    double sequence;
    tcsi_grounds grounds = { 0 };
    *ret_grounds = grounds;
    if (!get_number(value, "sequence", &sequence) || !(sequence >= 1 && sequence < 0x1p53)) return false;
    grounds.sequence = (uint64_t)sequence;
    bool sound = get_by(value, "opened_by", &grounds.opened_by) && get_number(value, "allowed", &grounds.allowed);
    sound = sound && get_height(value, "sure", &grounds.sure) && get_height(value, "hold", &grounds.hold);
    if (sound && get_by(value, "confirmed_by", &grounds.confirmed_by))
        sound = get_time(value, "confirmed", &grounds.confirmed_ns) && get_count(value, "lasted", UINT32_MAX, &grounds.lasted);
    sound = sound && read_row(tcsi_json_get(value, "onset"), &grounds.onset);
    grounds.peak = grounds.onset;
    if (sound && tcsi_json_get(value, "peak")) sound = read_row(tcsi_json_get(value, "peak"), &grounds.peak);
    sound = sound && read_answer(tcsi_json_get(value, "answer"), &grounds.answer);
    if (sound) *ret_grounds = grounds;
    return sound;
}

/* A quotation mark within a text is escaped, so that these bytes are a key; and no text of grounds holds a brace. */
tcsi_grounds_place tcsi_grounds_find(const char *document)
{
    static const char key[] = ",\"grounds\":{";
    const char *begin = strstr(document, key);
    int depth = 1;
    if (!begin) return (tcsi_grounds_place){ 0, 0 };
    const char *end = begin + strlen(key);
    for (; *end && depth > 0; end++) depth += *end == '{' ? 1 : *end == '}' ? -1 : 0;
    return (tcsi_grounds_place){ (size_t)(begin - document), (size_t)(end - begin) };
}
