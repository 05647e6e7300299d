/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/span.h"

#include "base/alloc.h"

void tcsi_span_list_deinit(tcsi_span_list *list)
{
    tcsi_free(list->spans);
    *list = (tcsi_span_list){ 0 };
}

tcs_status tcsi_span_list_append(tcsi_span_list *list, tcsi_span span, tcs_error *err)
{
    TCS_ASSERT(span.begin < span.end);
    if (!tcsi_grow((void **)&list->spans, &list->capacity, list->count, sizeof *list->spans, 64))
        return tcsi_fail_memory(err, "a list of events");
    list->spans[list->count++] = span;
    return TCS_OK;
}

tcs_status tcsi_span_list_from_flags(const uint8_t *flags, size_t row_count, tcsi_span_list *list, tcs_error *err)
{
    list->count = 0;
    for (size_t i = 0; i < row_count;) {
        if (!flags[i]) {
            i++;
            continue;
        }
        size_t begin = i;
        while (i < row_count && flags[i]) i++;
        tcs_status status = tcsi_span_list_append(list, (tcsi_span){ begin, i }, err);
        if (status != TCS_OK) return status;
    }
    return TCS_OK;
}

size_t tcsi_span_row_count(const tcsi_span *spans, size_t count)
{
    size_t rows = 0;
    for (size_t k = 0; k < count; k++) rows += tcsi_span_length(spans[k]);
    return rows;
}
