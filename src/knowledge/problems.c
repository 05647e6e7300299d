/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/problems.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tcsi_problems_init(tcsi_problems *problems, const char *file)
{
    problems->count = problems->left_off = 0;
    snprintf(problems->file, sizeof problems->file, "%s", file);
}

/* Kept in order of lines; those of one line in the order in which they were found. */
void tcsi_problems_add(tcsi_problems *problems, size_t line, const char *format, ...)
{
    size_t at = problems->count;
    if (at == TCSI_PROBLEM_COUNT_MAX) {
        problems->left_off++;
        return;
    }
    while (at > 0 && problems->items[at - 1].line > line) at--;
    memmove(&problems->items[at + 1], &problems->items[at], (problems->count - at) * sizeof problems->items[0]);
    problems->count++;
    problems->items[at].line = line;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problems->items[at].text, sizeof problems->items[at].text, format, arguments);
    va_end(arguments);
}

void tcsi_problems_suggest(const char *word, const char *const *names, size_t count, char ret_text[TCSI_SUGGESTION_SIZE])
{
    const char *nearest = tcsi_text_nearest(word, names, count);
    ret_text[0] = 0;
    if (nearest) snprintf(ret_text, TCSI_SUGGESTION_SIZE, "; did you mean '%s'?", nearest);
}

void tcsi_problems_format(const tcsi_problems *problems, size_t index, char *ret_text, size_t size)
{
    TCS_ASSERT(index < problems->count);
    snprintf(ret_text, size, "%s:%zu: %s", problems->file, problems->items[index].line, problems->items[index].text);
}

tcs_status tcsi_problems_status(const tcsi_problems *problems, tcs_error *err)
{
    const size_t more = problems->count + problems->left_off - 1;
    if (problems->count == 0) return TCS_OK;
    const tcsi_problem *first = &problems->items[0];
    if (more == 0) return tcsi_fail(err, TCS_E_FORMAT, "%.100s:%zu: %s", problems->file, first->line, first->text);
    return tcsi_fail(err, TCS_E_FORMAT, "%.100s:%zu: %s (and %zu more)", problems->file, first->line, first->text, more);
}
