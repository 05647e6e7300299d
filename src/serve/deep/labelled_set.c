/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/deep/labelled_set.h"

#include "base/alloc.h"
#include "base/fingerprint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 4, TEXT_SIZE = DIGITS * TCSI_LAST_ROWS + 1, SEED = 7 };

void tcsi_deep_labelled_init(tcsi_deep_labelled *set)
{
    *set = (tcsi_deep_labelled){ .count = 0 };
    tcsi_labels_init(&set->labels);
}

void tcsi_deep_labelled_deinit(tcsi_deep_labelled *set)
{
    tcsi_free(set->items);
    tcsi_labels_deinit(&set->labels);
    *set = (tcsi_deep_labelled){ .count = 0 };
}

/* ---- a window's document ---- */

tcs_status tcsi_deep_window_write(const int16_t rows[TCSI_LAST_ROWS], tcsi_json_writer *writer, tcs_error *err)
{
    char text[TEXT_SIZE];
    for (size_t i = 0; i < TCSI_LAST_ROWS; i++) snprintf(text + DIGITS * i, DIGITS + 1, "%04x", (unsigned)(uint16_t)rows[i]);
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "rows", text);
    tcsi_json_end_object(writer);
    return tcsi_json_finish(writer, err);
}

bool tcsi_deep_window_read(const char *document, int16_t ret_rows[TCSI_LAST_ROWS])
{
    const tcsi_json_value *root = NULL;
    tcsi_arena arena;
    tcs_error ignored;
    tcsi_arena_init(&arena, 1 << 16);
    const bool is_json = tcsi_json_parse(document, strlen(document), &arena, &root, &ignored) == TCS_OK;
    const tcsi_json_value *rows = is_json ? tcsi_json_get(root, "rows") : NULL;
    bool is_sound = rows && rows->type == TCSI_JSON_STRING && rows->text_size == TEXT_SIZE - 1 &&
                    strspn(rows->text, "0123456789abcdef") == TEXT_SIZE - 1;
    for (size_t i = 0; is_sound && i < TCSI_LAST_ROWS; i++) {
        char digits[DIGITS + 1] = "";
        memcpy(digits, rows->text + DIGITS * i, DIGITS);
        ret_rows[i] = (int16_t)(uint16_t)strtoul(digits, NULL, 16);
    }
    tcsi_arena_deinit(&arena);
    return is_sound;
}

/* ---- reading ---- */

static bool take_window(void *context, const tcsi_store_record *record)
{
    tcsi_deep_label *label = context;
    if (tcsi_deep_window_read(record->document, label->rows)) label->series = record->series_id;
    return false;
}

/* What an answered episode teaches; weight 0: nothing. */
static tcsi_deep_label label_of(const tcsi_labels *labels, const tcsi_labelled_item *item)
{
    const uint64_t id = tcsi_fingerprint_of(item->episode, strlen(item->episode), SEED).low;
    tcsi_deep_label label = { .episode = id, .is_true = item->real >= 0.5, .weight = (float)fabs(2 * item->real - 1) };
    if (!(label.weight > 0) || strcmp(item->answer, "not_mine") == 0) label.weight = 0;
    for (size_t i = 0; i < item->count; i++) {
        const int64_t time_ns = labels->standing[item->begin + i].time_ns;
        if (i == 0 || time_ns > label.answered_ns) label.answered_ns = time_ns;
    }
    return label;
}

typedef struct chosen {
    int64_t answered_ns;
    size_t item;
} chosen;

static int newest_first(const void *a, const void *b)
{
    const chosen *x = a, *y = b;
    if (x->answered_ns != y->answered_ns) return x->answered_ns < y->answered_ns ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

static int by_episode(const void *a, const void *b)
{
    const tcsi_deep_label *x = a, *y = b;
    return (x->episode > y->episode) - (x->episode < y->episode);
}

/* The newest that have a window. */
static tcs_status take_newest(tcsi_deep_labelled *set, tcsi_store *store, const chosen *order, size_t count, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < count && set->count < TCSI_DEEP_LABELS_MAX; i++) {
        const tcsi_labelled_item *item = &set->labels.items[order[i].item];
        const tcsi_store_record_query query = { .kind = TCSI_STORE_WINDOW, .id = item->episode, .limit = 1 };
        tcsi_deep_label *label = &set->items[set->count];
        *label = label_of(&set->labels, item);
        if (!(label->weight > 0)) continue;
        status = tcsi_store_record_list(store, &query, take_window, label, err);
        if (!label->series) continue; /* a missed event, one of another kind, or one without a full window */
        set->counts[label->is_true]++;
        set->count++;
    }
    return status;
}

static void hash_all(tcsi_deep_labelled *set)
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_hash hash;
    *set->hash = 0;
    if (set->count == 0) return;
    tcsi_hash_init(&hash);
    for (size_t i = 0; i < set->count; i++) {
        const tcsi_deep_label *label = &set->items[i];
        unsigned char bytes[8 + 1 + 2 + 2 * TCSI_LAST_ROWS];
        const unsigned weight = (unsigned)(65535 * (double)label->weight);
        for (size_t k = 0; k < 8; k++) bytes[k] = (unsigned char)(label->episode >> 8 * k);
        bytes[8] = label->is_true;
        bytes[9] = (unsigned char)(weight & 255);
        bytes[10] = (unsigned char)(weight >> 8);
        for (size_t k = 0; k < TCSI_LAST_ROWS; k++) {
            bytes[11 + 2 * k] = (unsigned char)((uint16_t)label->rows[k] & 255);
            bytes[12 + 2 * k] = (unsigned char)((uint16_t)label->rows[k] >> 8);
        }
        tcsi_hash_update(&hash, bytes, sizeof bytes);
    }
    tcsi_hash_end(&hash, digest);
    tcsi_hash_text(digest, set->hash);
}

static tcs_status take_all(tcsi_deep_labelled *set, tcsi_store *store, tcs_error *err)
{
    const size_t count = set->labels.item_count;
    chosen *order = TCSI_NEW_ARRAY(chosen, count + 1);
    if (!set->items) set->items = TCSI_NEW_ARRAY(tcsi_deep_label, TCSI_DEEP_LABELS_MAX);
    tcs_status status = order && set->items ? TCS_OK : tcsi_fail_memory(err, "labelled windows");
    set->count = set->counts[0] = set->counts[1] = 0;
    for (size_t i = 0; status == TCS_OK && i < count; i++)
        order[i] = (chosen){ label_of(&set->labels, &set->labels.items[i]).answered_ns, i };
    if (status == TCS_OK && count > 1) qsort(order, count, sizeof *order, newest_first);
    if (status == TCS_OK) status = take_newest(set, store, order, count, err);
    if (set->count > 1) qsort(set->items, set->count, sizeof *set->items, by_episode);
    hash_all(set);
    tcsi_free(order);
    return status;
}

tcs_status tcsi_deep_labelled_read(tcsi_deep_labelled *set, tcsi_store *store, bool *ret_is_new, tcs_error *err)
{
    tcs_status status = tcsi_labels_list(&set->labels, store, ret_is_new, err);
    if (status == TCS_OK && *ret_is_new) status = tcsi_labels_combine(&set->labels, err);
    if (status == TCS_OK && *ret_is_new) status = take_all(set, store, err);
    if (status != TCS_OK) tcsi_labels_forget(&set->labels);
    return status;
}
