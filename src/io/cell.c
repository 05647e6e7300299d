/* io/cell.c -- classification of text cells; the slow path behind the number scanner.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/cell.h"

#include "io/number.h"

#include <math.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

tcsi_cell tcsi_cell_trim(tcsi_cell cell)
{
    while (cell.size > 0 && is_blank(cell.text[0])) {
        cell.text++;
        cell.size--;
    }
    while (cell.size > 0 && is_blank(cell.text[cell.size - 1])) cell.size--;
    return cell;
}

bool tcsi_cell_equals_nocase(tcsi_cell cell, const char *text)
{
    size_t size = strlen(text);
    if (size != cell.size) return false;
    for (size_t i = 0; i < size; i++)
        if (lower(cell.text[i]) != lower(text[i])) return false;
    return true;
}

static bool is_any(tcsi_cell cell, const char *const *words, size_t word_count)
{
    for (size_t i = 0; i < word_count; i++)
        if (tcsi_cell_equals_nocase(cell, words[i])) return true;
    return false;
}

/* The words that pandas, R, SQL and spreadsheets write for nothing. */
static bool is_missing(tcsi_cell cell)
{
    static const char *const words[] = { "na", "n/a", "nan", "-nan", "+nan", "null", "none", "nil", "?", "-", "--", "#n/a", "#na",
                                         "<na>", "nat", "missing", "#value!", "#div/0!", "\\n", "." };
    return cell.size == 0 || (cell.size <= 8 && is_any(cell, words, TCS_COUNT(words)));
}

static bool is_infinite(tcsi_cell cell)
{
    static const char *const words[] = { "inf", "infinity", "1.#inf" };
    if (cell.size > 0 && (*cell.text == '-' || *cell.text == '+')) cell = (tcsi_cell){ cell.text + 1, cell.size - 1 };
    return cell.size <= 8 && is_any(cell, words, TCS_COUNT(words));
}

static size_t digits_at(tcsi_cell cell, size_t at)
{
    size_t count = 0;
    while (at + count < cell.size && cell.text[at + count] >= '0' && cell.text[at + count] <= '9') count++;
    return count;
}

/* [+-] 1..3 digits, then groups of a separator and exactly three digits, then perhaps the other mark and a fraction. */
static bool is_grouped(tcsi_cell cell)
{
    size_t at = cell.size > 0 && (*cell.text == '-' || *cell.text == '+'), count = digits_at(cell, at), groups = 0;
    if (count < 1 || count > 3) return false;
    at += count;
    char separator = at < cell.size ? cell.text[at] : 0;
    if (separator != ',' && separator != '.' && separator != '\'' && separator != ' ' && separator != '_') return false;
    while (at < cell.size && cell.text[at] == separator && digits_at(cell, at + 1) == 3) {
        at += 4;
        groups++;
    }
    if (groups == 0) return false;
    if (at < cell.size && (cell.text[at] == '.' || cell.text[at] == ',') && cell.text[at] != separator)
        at += 1 + digits_at(cell, at + 1);
    return at == cell.size;
}

tcsi_cell_kind tcsi_cell_read(tcsi_cell cell, char decimal, double *ret_value)
{
    cell = tcsi_cell_trim(cell);
    if (tcsi_number_parse(cell.text, cell.size, decimal, ret_value)) {
        if (isfinite(*ret_value)) return TCSI_CELL_NUMBER;
        *ret_value = NAN;
        return TCSI_CELL_INFINITE;
    }
    *ret_value = NAN;
    if (is_missing(cell)) return TCSI_CELL_MISSING;
    if (is_infinite(cell)) return TCSI_CELL_INFINITE;
    bool is_true = tcsi_cell_equals_nocase(cell, "true");
    if (is_true || tcsi_cell_equals_nocase(cell, "false")) {
        *ret_value = is_true;
        return TCSI_CELL_BOOLEAN;
    }
    return is_grouped(cell) ? TCSI_CELL_GROUPED : TCSI_CELL_TEXT;
}
