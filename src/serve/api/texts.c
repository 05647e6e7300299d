/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/texts.h"

#include "base/alloc.h"
#include "base/fingerprint.h"

#include <stdlib.h>
#include <string.h>

enum { BEGIN = 256 };

void tcsi_texts_init(tcsi_texts *texts, size_t count_max)
{
    *texts = (tcsi_texts){ .count_max = count_max };
}

void tcsi_texts_deinit(tcsi_texts *texts)
{
    tcsi_free(texts->items);
    *texts = (tcsi_texts){ 0 };
}

/* Where it stands, or would. */
static tcsi_text *find(const tcsi_texts *texts, const char *text, size_t size)
{
    size_t at = (size_t)tcsi_fingerprint_of(text, size, 0).low & (texts->capacity - 1);
    while (texts->items[at].text && (texts->items[at].size != size || memcmp(texts->items[at].text, text, size) != 0))
        at = (at + 1) & (texts->capacity - 1);
    return &texts->items[at];
}

static tcs_status grow(tcsi_texts *texts, tcs_error *err)
{
    tcsi_texts larger = *texts;
    larger.capacity = texts->capacity ? 2 * texts->capacity : BEGIN;
    larger.items = TCSI_NEW_ZEROS(tcsi_text, larger.capacity);
    if (!larger.items) return tcsi_fail_memory(err, "texts");
    for (size_t i = 0; i < texts->capacity; i++)
        if (texts->items[i].text) *find(&larger, texts->items[i].text, texts->items[i].size) = texts->items[i];
    tcsi_free(texts->items);
    *texts = larger;
    return TCS_OK;
}

tcs_status tcsi_texts_add(tcsi_texts *texts, const char *text, size_t size, tcs_error *err)
{
    if (2 * (texts->count + 1) > texts->capacity) {
        const tcs_status status = grow(texts, err);
        if (status != TCS_OK) return status;
    }
    tcsi_text *place = find(texts, text, size);
    if (place->text) return TCS_OK;
    texts->is_cut |= texts->count == texts->count_max;
    if (texts->count == texts->count_max) return TCS_OK;
    *place = (tcsi_text){ text, size };
    texts->count++;
    return TCS_OK;
}

static int by_bytes(const void *a, const void *b)
{
    const tcsi_text *x = a, *y = b;
    const int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

void tcsi_texts_sort(tcsi_texts *texts)
{
    size_t count = 0;
    for (size_t i = 0; i < texts->capacity; i++)
        if (texts->items[i].text) texts->items[count++] = texts->items[i];
    if (count) qsort(texts->items, count, sizeof *texts->items, by_bytes);
}
