/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/regex.h"

#include <string.h>

enum { SET, SPLIT, JUMP, BEGIN, END, MATCH };
enum { REPEAT_MAX = 1000, UNBOUNDED = -1 };

/* Reading and writing at once: code of a part is appended, moved and copied as a whole, as all jumps within it are relative. */
typedef struct compiler {
    tcsi_regex *p;
    const char *text;
    size_t size, at;
    int depth;
    bool is_folded; /* (?i) */
    tcs_status status;
    tcs_error *err;
} compiler;

static void refuse(compiler *c, const char *what)
{
    if (c->status == TCS_OK) c->status = tcsi_fail(c->err, TCS_E_INVALID, "pattern, byte %zu: %s", c->at + 1, what);
}

static bool has(const compiler *c)
{
    return c->status == TCS_OK && c->at < c->size;
}

static bool take(compiler *c, char byte)
{
    if (!has(c) || c->text[c->at] != byte) return false;
    c->at++;
    return true;
}

/* ---- code ---- */

static void emit(compiler *c, int kind, ptrdiff_t x, ptrdiff_t y)
{
    if (c->status != TCS_OK) return;
    if (c->p->step_count + 1 >= TCSI_REGEX_PROGRAM_MAX) { /* one is left for MATCH */
        c->status = tcsi_fail(c->err, TCS_E_LIMIT, "pattern: more than %d steps; repetitions count as often as they may happen",
                              TCSI_REGEX_PROGRAM_MAX);
        return;
    }
    c->p->program[c->p->step_count++] = (tcsi_regex_step){ (uint8_t)kind, (int16_t)x, (int16_t)y };
}

static void emit_set(compiler *c, const uint64_t set[4])
{
    size_t i = 0;
    while (i < c->p->set_count && memcmp(c->p->sets[i], set, sizeof c->p->sets[i]) != 0) i++;
    if (i == TCSI_REGEX_SETS_MAX) {
        if (c->status == TCS_OK) c->status = tcsi_fail(c->err, TCS_E_LIMIT, "pattern: more than %d sets", TCSI_REGEX_SETS_MAX);
        return;
    }
    if (i == c->p->set_count) memcpy(c->p->sets[c->p->set_count++], set, sizeof c->p->sets[i]);
    emit(c, SET, (ptrdiff_t)i, 0);
}

static void put(uint64_t set[4], unsigned byte)
{
    set[byte / 64] |= UINT64_C(1) << byte % 64;
}

static void put_range(uint64_t set[4], unsigned first, unsigned last)
{
    for (unsigned byte = first; byte <= last; byte++) put(set, byte);
}

static bool holds(const uint64_t set[4], unsigned byte)
{
    return set[byte / 64] >> byte % 64 & 1;
}

static void emit_range(compiler *c, unsigned first, unsigned last)
{
    uint64_t set[4] = { 0 };
    put_range(set, first, last);
    emit_set(c, set);
}

/* Makes room for a step before the code from begin on. */
static void insert(compiler *c, size_t begin, int kind, ptrdiff_t x, ptrdiff_t y)
{
    emit(c, kind, x, y);
    if (c->status != TCS_OK) return;
    tcsi_regex_step *program = c->p->program;
    const tcsi_regex_step step = program[c->p->step_count - 1];
    memmove(program + begin + 1, program + begin, (c->p->step_count - 1 - begin) * sizeof *program);
    program[begin] = step;
}

/* The code from begin to end once more, behind everything. */
static void copy(compiler *c, size_t begin, size_t end)
{
    for (size_t i = begin; i < end && c->status == TCS_OK; i++) {
        const tcsi_regex_step step = c->p->program[i];
        emit(c, step.kind, step.x, step.y);
    }
}

/* ---- characters ---- */

/* An ASCII set, or with it every character beyond ASCII: its bytes as UTF-8 has them. */
static void emit_characters(compiler *c, const uint64_t ascii[4], bool is_beyond)
{
    static const unsigned char leads[3][2] = { { 0xc2, 0xdf }, { 0xe0, 0xef }, { 0xf0, 0xf4 } };
    if (!is_beyond) {
        emit_set(c, ascii);
        return;
    }
    emit(c, SPLIT, 1, 3);
    emit_set(c, ascii);
    emit(c, JUMP, 14, 0);
    emit(c, SPLIT, 1, 4);
    for (int i = 0; i < 3; i++) {
        emit_range(c, leads[i][0], leads[i][1]);
        for (int k = 0; k <= i; k++) emit_range(c, 0x80, 0xbf);
        if (i == 0) emit(c, JUMP, 10, 0);
        if (i == 0) emit(c, SPLIT, 1, 5);
        if (i == 1) emit(c, JUMP, 5, 0);
    }
}

static void fold(uint64_t set[4])
{
    for (unsigned letter = 'a'; letter <= 'z'; letter++) {
        const unsigned upper = letter - 'a' + 'A';
        if (holds(set, letter)) put(set, upper);
        else if (holds(set, upper)) put(set, letter);
    }
}

/* \d and its like into set; false: no class. */
static bool put_class(uint64_t set[4], char name)
{
    const char lower = (char)(name | 0x20);
    uint64_t found[4] = { 0 };
    if (lower != 'd' && lower != 'w' && lower != 's') return false;
    if (lower != 's') put_range(found, '0', '9');
    if (lower == 'w') {
        put_range(found, 'a', 'z');
        put_range(found, 'A', 'Z');
        put(found, '_');
    }
    for (const char *blank = "\t\n\f\r "; lower == 's' && *blank; blank++) put(found, (unsigned char)*blank);
    for (int i = 0; i < 2; i++) set[i] |= name == lower ? found[i] : ~found[i]; /* of ASCII */
    return true;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Behind a backslash: the byte that is meant. */
static unsigned escaped(compiler *c)
{
    static const char names[] = "ntrfva", bytes[] = "\n\t\r\f\v\a";
    if (!has(c)) {
        refuse(c, "nothing behind \\");
        return 0;
    }
    const char name = c->text[c->at++];
    const char *known = strchr(names, name);
    if (known) return (unsigned char)bytes[known - names];
    if (name == 'x' && c->size - c->at >= 2) {
        const int high = hex_digit(c->text[c->at]), low = hex_digit(c->text[c->at + 1]);
        c->at += 2;
        if (high >= 0 && low >= 0 && high < 8) return (unsigned)(16 * high + low);
    }
    const bool is_word = hex_digit(name) >= 0 || (name >= 'g' && name <= 'z') || (name >= 'G' && name <= 'Z');
    if (is_word || (unsigned char)name >= 0x80) refuse(c, "an escape that is not known here");
    return (unsigned char)name;
}

/* ---- the language ---- */

static void read_any(compiler *c);

/* One end of a range within []; *ret_is_class: it is \d or the like, already in set. */
static unsigned read_member(compiler *c, uint64_t set[4], bool *ret_is_class)
{
    *ret_is_class = false;
    const unsigned char byte = (unsigned char)c->text[c->at++];
    if (byte >= 0x80) refuse(c, "a character beyond ASCII within []");
    if (byte == '[' && has(c) && c->text[c->at] == ':') refuse(c, "a class by name");
    if (byte != '\\') return byte;
    *ret_is_class = has(c) && put_class(set, c->text[c->at]);
    if (!*ret_is_class) return escaped(c);
    if (c->text[c->at] < 'a') refuse(c, "\\D, \\W or \\S within []");
    c->at++;
    return 0;
}

static void read_set(compiler *c)
{
    uint64_t set[4] = { 0 };
    const bool is_negated = take(c, '^');
    bool is_first = true, is_class, is_end_class;
    while (has(c) && (is_first || c->text[c->at] != ']')) {
        const unsigned first = read_member(c, set, &is_class);
        unsigned last = first;
        is_first = false;
        if (!is_class && c->size - c->at >= 2 && c->text[c->at] == '-' && c->text[c->at + 1] != ']') {
            c->at++;
            last = read_member(c, set, &is_end_class);
            if (is_end_class || last < first) refuse(c, "a range that goes back");
        }
        if (!is_class && c->status == TCS_OK) put_range(set, first, last);
    }
    if (!take(c, ']')) refuse(c, "a [ that is not closed");
    if (c->is_folded) fold(set);
    if (is_negated)
        for (int i = 0; i < 2; i++) set[i] = ~set[i];
    emit_characters(c, set, is_negated);
}

static void read_group(compiler *c)
{
    if (take(c, '?') && !take(c, ':')) refuse(c, "a flag; only (?: and, at the beginning, (?i) are known here");
    if (++c->depth > TCSI_REGEX_DEPTH_MAX) refuse(c, "too many brackets within each other");
    read_any(c);
    c->depth--;
    if (!take(c, ')')) refuse(c, "a ( that is not closed");
}

static void read_literal(compiler *c, unsigned byte)
{
    uint64_t set[4] = { 0 };
    put(set, byte);
    if (c->is_folded) fold(set);
    emit_set(c, set);
    if (byte < 0xc0) return;
    while (has(c) && ((unsigned char)c->text[c->at] & 0xc0) == 0x80) { /* the character's other bytes */
        const unsigned more = (unsigned char)c->text[c->at++];
        emit_range(c, more, more);
    }
}

static void read_atom(compiler *c)
{
    uint64_t set[4] = { 0 };
    const char byte = c->text[c->at++];
    switch (byte) {
    case '(': read_group(c); return;
    case '[': read_set(c); return;
    case '^': emit(c, BEGIN, 0, 0); return;
    case '$': emit(c, END, 0, 0); return;
    case '.':
        put_range(set, 0, 0x7f);
        emit_characters(c, set, true);
        return;
    case '*': case '+': case '?': case '{':
        c->at--;
        refuse(c, "nothing to repeat");
        return;
    case '\\':
        if (has(c) && put_class(set, c->text[c->at])) emit_characters(c, set, c->text[c->at++] < 'a');
        else read_literal(c, escaped(c));
        return;
    default: read_literal(c, (unsigned char)byte);
    }
}

/* Digits; UNBOUNDED: there are none. */
static int read_count(compiler *c)
{
    int count = UNBOUNDED;
    for (; has(c) && c->text[c->at] >= '0' && c->text[c->at] <= '9'; c->at++) {
        count = (count < 0 ? 0 : count) * 10 + (c->text[c->at] - '0');
        if (count > REPEAT_MAX) {
            refuse(c, "more than 1000 repetitions");
            return 0;
        }
    }
    return count;
}

/* {n}, {n,}, {n,m}; false: no such thing is here. */
static bool read_bounds(compiler *c, int *ret_least, int *ret_most)
{
    if (take(c, '*')) *ret_least = 0, *ret_most = UNBOUNDED;
    else if (take(c, '+')) *ret_least = 1, *ret_most = UNBOUNDED;
    else if (take(c, '?')) *ret_least = 0, *ret_most = 1;
    else if (take(c, '{')) {
        *ret_least = read_count(c);
        *ret_most = take(c, ',') ? read_count(c) : *ret_least;
        if (*ret_least < 0 || (*ret_most >= 0 && *ret_most < *ret_least)) refuse(c, "expected {n}, {n,} or {n,m}");
        if (!take(c, '}')) refuse(c, "a { that is not closed");
    } else return false;
    return c->status == TCS_OK;
}

/* The code from begin on, repeated. */
static void repeat(compiler *c, size_t begin, int least, int most)
{
    const size_t size = c->p->step_count - begin;
    if (most == 0) {
        c->p->step_count = begin;
        return;
    }
    for (int i = 1; i < least; i++) copy(c, begin, begin + size);
    if (most == UNBOUNDED && least == 0) {
        insert(c, begin, SPLIT, 1, (ptrdiff_t)size + 2);
        emit(c, JUMP, -(ptrdiff_t)size - 1, 0);
    } else if (most == UNBOUNDED) {
        emit(c, SPLIT, -(ptrdiff_t)size, 1);
    } else if (least == 0) {
        insert(c, begin, SPLIT, 1, (ptrdiff_t)size + 1);
        for (int i = 1; i < most && c->status == TCS_OK; i++) copy(c, begin, begin + size + 1);
    } else {
        for (int i = least; i < most && c->status == TCS_OK; i++) {
            emit(c, SPLIT, 1, (ptrdiff_t)size + 1);
            copy(c, begin, begin + size);
        }
    }
}

static void read_sequence(compiler *c)
{
    int least, most;
    while (has(c) && c->text[c->at] != '|' && c->text[c->at] != ')') {
        const size_t begin = c->p->step_count;
        read_atom(c);
        if (!read_bounds(c, &least, &most)) continue;
        (void)take(c, '?'); /* lazy: of the whole text it is the same */
        repeat(c, begin, least, most);
        if (has(c) && strchr("*+?{", c->text[c->at])) refuse(c, "a repetition of a repetition; use brackets");
    }
}

static void read_any(compiler *c)
{
    const size_t begin = c->p->step_count;
    read_sequence(c);
    while (take(c, '|')) { /* this or what follows, from the right: A|(B|C) */
        const size_t size = c->p->step_count - begin;
        insert(c, begin, SPLIT, 1, (ptrdiff_t)size + 2);
        emit(c, JUMP, 1, 0);
        const size_t jump = c->p->step_count - 1;
        read_sequence(c);
        if (c->status == TCS_OK) c->p->program[jump].x = (int16_t)(c->p->step_count - jump);
    }
}

tcs_status tcsi_regex_compile(tcsi_regex *pattern, const char *text, size_t size, tcs_error *err)
{
    compiler c = { .p = pattern, .text = text, .size = size, .err = err };
    pattern->step_count = pattern->set_count = 0;
    pattern->cost = 0;
    pattern->mark = 0;
    memset(pattern->marks, 0, sizeof pattern->marks);
    if (size > TCSI_REGEX_SIZE_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "pattern: %zu bytes, at most %d", size, TCSI_REGEX_SIZE_MAX);
    if (size >= 4 && memcmp(text, "(?i)", 4) == 0) {
        c.is_folded = true;
        c.at = 4;
    }
    read_any(&c);
    if (c.status == TCS_OK && c.at < size) refuse(&c, "a ) that was not opened");
    if (c.status == TCS_OK) pattern->program[pattern->step_count++] = (tcsi_regex_step){ .kind = MATCH };
    return c.status;
}

/* ---- matching ---- */

typedef struct place {
    size_t at, size; /* in the text */
} place;

/* Step and everything that is reached from it without a byte onto the list. */
static size_t follow(tcsi_regex *p, size_t step, place where, uint16_t *list, size_t count)
{
    size_t stacked = 0;
    p->stack[stacked++] = (uint16_t)step;
    while (stacked > 0) {
        const size_t at = p->stack[--stacked];
        const tcsi_regex_step *s = &p->program[at];
        if (p->marks[at] == p->mark) continue;
        p->marks[at] = p->mark;
        p->cost++;
        if (s->kind == SET || s->kind == MATCH) list[count++] = (uint16_t)at;
        else if (s->kind == SPLIT) {
            p->stack[stacked++] = (uint16_t)((ptrdiff_t)at + s->y);
            p->stack[stacked++] = (uint16_t)((ptrdiff_t)at + s->x);
        } else if (s->kind == JUMP) p->stack[stacked++] = (uint16_t)((ptrdiff_t)at + s->x);
        else if (s->kind == BEGIN ? where.at == 0 : where.at == where.size) p->stack[stacked++] = (uint16_t)(at + 1);
    }
    return count;
}

static void next_mark(tcsi_regex *p)
{
    if (++p->mark != 0) return;
    memset(p->marks, 0, sizeof p->marks);
    p->mark = 1;
}

bool tcsi_regex_match(tcsi_regex *pattern, const char *text, size_t size)
{
    uint16_t *now = pattern->lists[0], *next = pattern->lists[1];
    next_mark(pattern);
    size_t count = follow(pattern, 0, (place){ 0, size }, now, 0);
    for (size_t at = 0; at < size && count > 0; at++) {
        size_t next_count = 0;
        next_mark(pattern);
        for (size_t i = 0; i < count; i++) {
            const tcsi_regex_step *s = &pattern->program[now[i]];
            pattern->cost++;
            if (s->kind == SET && holds(pattern->sets[s->x], (unsigned char)text[at]))
                next_count = follow(pattern, now[i] + 1u, (place){ at + 1, size }, next, next_count);
        }
        uint16_t *swapped = now;
        now = next;
        next = swapped;
        count = next_count;
    }
    for (size_t i = 0; i < count; i++)
        if (pattern->program[now[i]].kind == MATCH) return true;
    return false;
}
