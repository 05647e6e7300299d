/* serve/collect/figures.c -- see figures.h.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/collect/figures.h"

#include "base/alloc.h"
#include "base/json.h"
#include "series/time.h"

#include <math.h>
#include <string.h>

const tcsi_figure_family tcsi_figure_families[TCSI_FIGURE_FAMILY_COUNT] = {
#define X(id, name, kind, label1, label2, label3, help) { name, TCSI_FIGURE_##kind, { label1, label2, label3 }, help },
    TCSI_FIGURE_FAMILY_LIST(X)
#undef X
};

enum { NAME_SIZE_MAX = 4096, CAPACITY_FIRST = 256 };

void tcsi_figures_init(tcsi_figures *figures)
{
    *figures = (tcsi_figures){ .tick = 0 };
}

static void release(tcsi_figure *figure)
{
    tcsi_free(figure->name);
    for (size_t i = 0; i < TCSI_FIGURE_LABEL_COUNT_MAX; i++) tcsi_free(figure->labels[i]);
}

void tcsi_figures_deinit(tcsi_figures *figures)
{
    for (size_t i = 0; i < figures->count; i++) release(&figures->items[i]);
    tcsi_free(figures->items);
    tcsi_free(figures->slots);
    tcsi_figures_init(figures);
}

void tcsi_figures_begin(tcsi_figures *figures, int64_t monotonic_ns)
{
    figures->tick++;
    figures->time_before_ns = figures->time_ns;
    figures->time_ns = monotonic_ns;
    figures->expected = 0;
}

/* ---- finding ---- */

static size_t label_count(tcsi_figure_family_id family)
{
    size_t count = 0;
    while (count < TCSI_FIGURE_LABEL_COUNT_MAX && tcsi_figure_families[family].labels[count]) count++;
    return count;
}

static bool is_same(const tcsi_figure *figure, tcsi_figure_family_id family, const tcsi_figure_label *labels)
{
    if (figure->family != family) return false;
    for (size_t i = 0; i < TCSI_FIGURE_LABEL_COUNT_MAX && figure->labels[i]; i++)
        if (strlen(figure->labels[i]) != labels[i].size || memcmp(figure->labels[i], labels[i].text, labels[i].size) != 0) return false;
    return true;
}

static uint64_t hash_byte(uint64_t hash, unsigned byte) /* FNV-1a */
{
    return (hash ^ byte) * UINT64_C(1099511628211);
}

static size_t hash(tcsi_figure_family_id family, const tcsi_figure_label *labels, size_t count)
{
    uint64_t sum = hash_byte(UINT64_C(14695981039346656037), (unsigned)family);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < labels[i].size; k++) sum = hash_byte(sum, (unsigned char)labels[i].text[k]);
        sum = hash_byte(sum, 0);
    }
    return (size_t)(sum ^ sum >> 32);
}

/* The slot of a figure, or the free one where it belongs; there must be slots. */
static size_t find_slot(const tcsi_figures *figures, tcsi_figure_family_id family, const tcsi_figure_label *labels)
{
    size_t slot = hash(family, labels, label_count(family)) & (figures->slot_count - 1);
    while (figures->slots[slot] && !is_same(&figures->items[figures->slots[slot] - 1], family, labels))
        slot = (slot + 1) & (figures->slot_count - 1);
    return slot;
}

static tcsi_figure *find(tcsi_figures *figures, tcsi_figure_family_id family, const tcsi_figure_label *labels)
{
    size_t index = figures->expected;
    if (index >= figures->count || !is_same(&figures->items[index], family, labels)) {
        uint32_t found = figures->slot_count > 0 ? figures->slots[find_slot(figures, family, labels)] : 0;
        if (found == 0) return NULL;
        index = found - 1;
    }
    figures->expected = index + 1;
    return &figures->items[index];
}

/* ---- a figure seen for the first time ---- */

static bool grow(tcsi_figures *figures)
{
    size_t capacity = figures->capacity ? 2 * figures->capacity : CAPACITY_FIRST;
    tcsi_figure *items = tcsi_realloc_array(figures->items, capacity, sizeof *items);
    if (!items) return false;
    figures->items = items;
    uint32_t *slots = TCSI_NEW_ZEROS(uint32_t, 2 * capacity);
    if (!slots) return false;
    tcsi_free(figures->slots);
    figures->slots = slots;
    figures->slot_count = 2 * capacity;
    figures->capacity = capacity;
    for (size_t i = 0; i < figures->count; i++) {
        tcsi_figure_label labels[TCSI_FIGURE_LABEL_COUNT_MAX] = { { 0 } };
        for (size_t k = 0; k < TCSI_FIGURE_LABEL_COUNT_MAX && items[i].labels[k]; k++)
            labels[k] = (tcsi_figure_label){ items[i].labels[k], strlen(items[i].labels[k]) };
        slots[find_slot(figures, items[i].family, labels)] = (uint32_t)(i + 1);
    }
    return true;
}

/* A label's value between quotes: \, " and line feeds as \\, \" and \n (exposition format 0.0.4). */
static tcs_status put_value(tcsi_buffer *out, const char *text, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (; *text && status == TCS_OK; text++) {
        if (*text == '\n') status = tcsi_buffer_puts(out, "\\n", err);
        else if (*text == '\\' || *text == '"') status = tcsi_buffer_printf(out, err, "\\%c", *text);
        else status = tcsi_buffer_append(out, text, 1, err);
    }
    return status;
}

static tcs_status put_name(tcsi_buffer *out, const tcsi_figure *figure, tcs_error *err)
{
    const tcsi_figure_family *family = &tcsi_figure_families[figure->family];
    tcs_status status = tcsi_buffer_puts(out, family->name, err);
    for (size_t i = 0; i < TCSI_FIGURE_LABEL_COUNT_MAX && figure->labels[i] && status == TCS_OK; i++) {
        status = tcsi_buffer_printf(out, err, "%c%s=\"", i == 0 ? '{' : ',', family->labels[i]);
        if (status == TCS_OK) status = put_value(out, figure->labels[i], err);
        if (status == TCS_OK) status = tcsi_buffer_puts(out, "\"", err);
    }
    return status == TCS_OK && figure->labels[0] ? tcsi_buffer_puts(out, "}", err) : status;
}

/* false: a label too long, or out of memory; nothing is left behind. */
static bool fill(tcsi_figure *figure, tcsi_figure_family_id family, const tcsi_figure_label *labels, size_t count)
{
    tcsi_buffer name;
    bool fits = true;
    *figure = (tcsi_figure){ .family = family };
    tcsi_buffer_init(&name, NAME_SIZE_MAX);
    for (size_t i = 0; i < count && fits; i++) {
        fits = labels[i].size <= TCSI_FIGURE_LABEL_SIZE_MAX && !memchr(labels[i].text, 0, labels[i].size);
        if (fits) figure->labels[i] = tcsi_strndup(labels[i].text, labels[i].size);
        fits = fits && figure->labels[i];
    }
    fits = fits && put_name(&name, figure, NULL) == TCS_OK;
    if (fits) figure->name = tcsi_strndup(name.data, name.size);
    tcsi_buffer_deinit(&name);
    if (fits && figure->name) return true;
    release(figure);
    return false;
}

static tcsi_figure *add(tcsi_figures *figures, tcsi_figure_family_id family, const tcsi_figure_label *labels)
{
    if (figures->count == TCSI_FIGURE_COUNT_MAX || (figures->count == figures->capacity && !grow(figures))) return NULL;
    tcsi_figure *figure = &figures->items[figures->count];
    if (!fill(figure, family, labels, label_count(family))) return NULL;
    figures->slots[find_slot(figures, family, labels)] = (uint32_t)++figures->count;
    figures->expected = figures->count;
    return figure;
}

/* ---- values ---- */

void tcsi_figures_set(tcsi_figures *figures, tcsi_figure_family_id family, const tcsi_figure_label *labels, double value)
{
    TCS_ASSERT(figures->tick > 0);
    tcsi_figure *figure = find(figures, family, labels);
    if (!figure) figure = add(figures, family, labels);
    if (!figure) {
        figures->refused_count++;
        return;
    }
    if (figure->tick != figures->tick) { /* named twice in one tick: the last one counts */
        figure->value_before = figure->value;
        figure->tick_before = figure->tick;
    }
    figure->value = value;
    figure->tick = figures->tick;
}

double tcsi_figure_rate(const tcsi_figures *figures, const tcsi_figure *figure)
{
    double seconds = 1e-9 * (double)(figures->time_ns - figures->time_before_ns);
    if (figure->tick != figures->tick || figure->tick_before == 0 || figure->tick_before + 1 != figure->tick) return NAN;
    if (!(seconds > 0) || !(figure->value >= figure->value_before)) return NAN;
    return (figure->value - figure->value_before) / seconds;
}

const tcsi_figure *tcsi_figures_find(const tcsi_figures *figures, const char *name)
{
    for (size_t i = 0; i < figures->count; i++)
        if (tcsi_figure_is_present(figures, &figures->items[i]) && strcmp(figures->items[i].name, name) == 0) return &figures->items[i];
    return NULL;
}

/* ---- as text ---- */

static bool is_counter(const tcsi_figure *figure)
{
    return tcsi_figure_families[figure->family].kind == TCSI_FIGURE_COUNTER;
}

static void put_rate(tcsi_json_writer *writer, const tcsi_figures *figures, const tcsi_figure *figure)
{
    char key[NAME_SIZE_MAX + 8];
    size_t length = strlen(figure->name);
    memcpy(key, "rate(", 5);
    memcpy(key + 5, figure->name, length);
    memcpy(key + 5 + length, ")", 2);
    tcsi_json_put_number(writer, key, tcsi_figure_rate(figures, figure));
}

tcs_status tcsi_figures_write_row(const tcsi_figures *figures, int64_t wall_ns, bool totals, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    char time[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(wall_ns, time, sizeof time);
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "time", time);
    for (size_t i = 0; i < figures->count; i++) {
        const tcsi_figure *figure = &figures->items[i];
        if (!tcsi_figure_is_present(figures, figure)) continue;
        if (is_counter(figure) && !totals) put_rate(&writer, figures, figure);
        else tcsi_json_put_number(&writer, figure->name, figure->value);
    }
    tcsi_json_end_object(&writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    return status == TCS_OK ? tcsi_buffer_puts(out, "\n", err) : status;
}

static tcs_status put_family(const tcsi_figures *figures, size_t id, tcsi_buffer *out, tcs_error *err)
{
    const tcsi_figure_family *family = &tcsi_figure_families[id];
    const char *kind = family->kind == TCSI_FIGURE_COUNTER ? "counter" : "gauge";
    tcs_status status = TCS_OK;
    bool is_first = true;
    for (size_t i = 0; i < figures->count && status == TCS_OK; i++) {
        const tcsi_figure *figure = &figures->items[i];
        char number[TCSI_NUMBER_TEXT_SIZE];
        if (figure->family != id || !tcsi_figure_is_present(figures, figure)) continue;
        if (is_first) status = tcsi_buffer_printf(out, err, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name, kind);
        is_first = false;
        (void)tcsi_number_format(figure->value, number);
        if (status == TCS_OK) status = tcsi_buffer_printf(out, err, "%s %s\n", figure->name, number);
    }
    return status;
}

tcs_status tcsi_figures_write_exposition(const tcsi_figures *figures, tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t id = 0; id < TCSI_FIGURE_FAMILY_COUNT && status == TCS_OK; id++) status = put_family(figures, id, out, err);
    return status;
}
