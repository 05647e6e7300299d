/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/expression.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct parser {
    const char *begin, *at;
    size_t line, depth, count;
    tcsi_problems *problems;
    tcsi_arena *arena;
    bool is_failed, is_memory_out, needs_times;
    bool is_logical[TCSI_EXPRESSION_NODE_COUNT_MAX]; /* by node */
    tcsi_node nodes[TCSI_EXPRESSION_NODE_COUNT_MAX];
} parser;

/* ---- words ---- */

static const struct { const char *name; double seconds; } UNITS[] = {
    { "ms", 1e-3 }, { "s", 1 }, { "sec", 1 }, { "min", 60 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { "w", 604800 },
};

static bool is_name_byte(char c, bool is_first)
{
    const unsigned char byte = (unsigned char)c;
    const bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    return letter || c == '_' || byte >= 0x80 || (!is_first && ((c >= '0' && c <= '9') || c == '.'));
}

static bool begins_with(const char *text, const char *word) { return strncmp(text, word, strlen(word)) == 0; }
static bool is_plus_minus(const char *at) { return begins_with(at, "±") || begins_with(at, "+-") || begins_with(at, "+/-"); }

static void skip_blanks(parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r') p->at++;
}

static size_t name_length(const char *at)
{
    size_t length = 0;
    while (is_name_byte(at[length], length == 0) && !begins_with(at + length, "±")) length++;
    return length;
}

/* Only the first problem of an expression is told: what follows it is mostly noise. */
static void fail(parser *p, const char *expected)
{
    if (p->is_failed) return;
    p->is_failed = true;
    if (*p->at)
        tcsi_problems_add(p->problems, p->line, "'%.60s', column %zu, at '%.20s': expected %s", p->begin, (size_t)(p->at - p->begin) + 1,
                          p->at, expected);
    else tcsi_problems_add(p->problems, p->line, "'%.60s' ends where %s is expected", p->begin, expected);
}

static bool take(parser *p, const char *symbol)
{
    skip_blanks(p);
    if (!begins_with(p->at, symbol)) return false;
    p->at += strlen(symbol);
    return true;
}

static void need(parser *p, const char *symbol, const char *expected)
{
    if (!take(p, symbol)) fail(p, expected);
}

static bool take_word(parser *p, const char *word)
{
    skip_blanks(p);
    const size_t length = name_length(p->at);
    if (length != strlen(word) || !begins_with(p->at, word)) return false;
    p->at += length;
    return true;
}

/* ---- nodes ---- */

static uint16_t add_node(parser *p, tcsi_node node, bool is_logical)
{
    if (p->count == TCSI_EXPRESSION_NODE_COUNT_MAX) {
        fail(p, "a shorter formula");
        return 0;
    }
    p->is_logical[p->count] = is_logical;
    p->nodes[p->count] = node;
    return (uint16_t)p->count++;
}

static void check_kind(parser *p, uint16_t node, bool wants_logic)
{
    if (!p->is_failed && p->is_logical[node] != wants_logic)
        fail(p, wants_logic ? "a comparison before this, such as flow < 3, not a number" : "a number before this, not a comparison");
}

static uint16_t combine(parser *p, tcsi_op op, uint16_t left, uint16_t right)
{
    const bool wants_logic = op == TCSI_OP_AND || op == TCSI_OP_OR, gives_logic = op >= TCSI_OP_LESS;
    check_kind(p, left, wants_logic);
    check_kind(p, right, wants_logic);
    return add_node(p, (tcsi_node){ .op = op, .left = left, .right = right }, gives_logic);
}

static uint16_t combine_one(parser *p, tcsi_op op, uint16_t of)
{
    check_kind(p, of, op == TCSI_OP_NOT);
    return add_node(p, (tcsi_node){ .op = op, .left = of, .right = of }, op == TCSI_OP_NOT);
}

static uint16_t parse_logic(parser *p);
static uint16_t parse_sum(parser *p);

/* false: no number stands here. */
static bool take_number(parser *p, double *ret_value, bool *ret_is_time)
{
    char *end;
    skip_blanks(p);
    const bool begins = (*p->at >= '0' && *p->at <= '9') || (*p->at == '.' && p->at[1] >= '0' && p->at[1] <= '9');
    if (!begins || begins_with(p->at, "0x") || begins_with(p->at, "0X")) return false;
    *ret_value = strtod(p->at, &end);
    *ret_is_time = false;
    if (!(fabs(*ret_value) <= 1e100)) fail(p, "a number below 1e100");
    p->at = end;
    while (*end == ' ') end++;
    const size_t length = name_length(end);
    for (size_t i = 0; i < TCS_COUNT(UNITS); i++)
        if (length == strlen(UNITS[i].name) && begins_with(end, UNITS[i].name)) {
            *ret_value *= UNITS[i].seconds;
            *ret_is_time = true;
            p->at = end + length;
        }
    return true;
}

static const double DURATION_S_MAX = 3650.0 * 86400;

/* `look`: how far back. */
static uint16_t parse_look(parser *p, tcsi_op op)
{
    double value = 0;
    bool is_time = false;
    need(p, "(", "'('");
    const uint16_t of = parse_sum(p);
    check_kind(p, of, false);
    need(p, ",", "',' and how far to look back");
    if (!take_number(p, &value, &is_time)) fail(p, "a number of rows or a duration such as 5min");
    tcsi_node node = { .op = op, .left = of, .right = of };
    if (is_time && value >= 1e-9 && value <= DURATION_S_MAX) node.duration_ns = (int64_t)(value * 1e9);
    else if (!is_time && value >= 1 && value <= TCSI_LOOK_ROWS_MAX && value == floor(value)) node.rows = (size_t)value;
    else fail(p, "1 to 100000 rows, or a duration of at most 10 years, before this");
    need(p, ")", "')'");
    p->needs_times |= is_time;
    return add_node(p, node, false);
}

static uint16_t parse_rate(parser *p)
{
    need(p, "(", "'('");
    const uint16_t of = combine_one(p, TCSI_OP_RATE, parse_sum(p));
    need(p, ")", "')'");
    need(p, "/", "'/dt' after d(...)");
    if (!take_word(p, "dt")) fail(p, "'dt' after d(...)/");
    return of;
}

static uint16_t parse_abs(parser *p)
{
    need(p, "(", "'('");
    const uint16_t of = combine_one(p, TCSI_OP_ABS, parse_sum(p));
    need(p, ")", "')'");
    return of;
}

static uint16_t parse_extreme(parser *p, tcsi_op op)
{
    need(p, "(", "'('");
    uint16_t of = parse_sum(p);
    need(p, ",", "',' and another value");
    do of = combine(p, op, of, parse_sum(p));
    while (!p->is_failed && take(p, ","));
    need(p, ")", "')' or ','");
    return of;
}

static uint16_t add_name(parser *p, const char *bytes, size_t length)
{
    const char *name = tcsi_arena_strndup(p->arena, bytes, length);
    if (!name) p->is_memory_out = p->is_failed = true;
    return add_node(p, (tcsi_node){ .op = TCSI_OP_NAME, .name = name }, false);
}

static uint16_t parse_quoted(parser *p)
{
    const char quote = *p->at++, *begin = p->at, *end = strchr(begin, quote);
    if (!end || end == begin) {
        fail(p, "a channel's name and the closing quote");
        return 0;
    }
    p->at = end + 1;
    return add_name(p, begin, (size_t)(end - begin));
}

static uint16_t parse_named(parser *p)
{
    static const struct { const char *name; tcsi_op op; uint16_t (*parse)(parser *, tcsi_op); } calls[] = {
        { "lag", TCSI_OP_LAG, parse_look }, { "mean", TCSI_OP_MEAN, parse_look },
        { "min", TCSI_OP_MIN, parse_extreme }, { "max", TCSI_OP_MAX, parse_extreme },
    };
    const char *begin = p->at;
    const size_t length = name_length(p->at);
    p->at += length;
    const char *after = p->at + strspn(p->at, " ");
    if (*after != '(') return add_name(p, begin, length);
    for (size_t i = 0; i < TCS_COUNT(calls); i++)
        if (length == strlen(calls[i].name) && begins_with(begin, calls[i].name)) return calls[i].parse(p, calls[i].op);
    if (length == 1 && *begin == 'd') return parse_rate(p);
    if (length == 3 && begins_with(begin, "abs")) return parse_abs(p);
    p->at = begin;
    fail(p, "one of abs, min, max, lag, mean and d(...)/dt before '('");
    return 0;
}

static uint16_t parse_factor(parser *p)
{
    double value;
    bool is_time;
    uint16_t node = 0;
    skip_blanks(p);
    if (p->is_failed) return 0;
    if (p->depth == TCSI_EXPRESSION_DEPTH_MAX) {
        fail(p, "fewer parentheses");
        return 0;
    }
    p->depth++;
    if (take(p, "-")) node = combine_one(p, TCSI_OP_NEGATE, parse_factor(p));
    else if (take(p, "(")) {
        node = parse_logic(p);
        need(p, ")", "')'");
    } else if (*p->at == '"' || *p->at == '`') node = parse_quoted(p);
    else if (take_number(p, &value, &is_time)) node = add_node(p, (tcsi_node){ .op = TCSI_OP_NUMBER, .number = value }, false);
    else if (name_length(p->at) > 0) node = parse_named(p);
    else fail(p, "a number, a channel or '('");
    p->depth--;
    return node;
}

static uint16_t parse_product(parser *p)
{
    uint16_t left = parse_factor(p);
    while (!p->is_failed) {
        if (take(p, "*")) left = combine(p, TCSI_OP_MULTIPLY, left, parse_factor(p));
        else if (take(p, "/")) left = combine(p, TCSI_OP_DIVIDE, left, parse_factor(p));
        else break;
    }
    return left;
}

static uint16_t parse_sum(parser *p)
{
    uint16_t left = parse_product(p);
    while (!p->is_failed) {
        skip_blanks(p);
        if (is_plus_minus(p->at)) break;
        if (take(p, "+")) left = combine(p, TCSI_OP_ADD, left, parse_product(p));
        else if (take(p, "-")) left = combine(p, TCSI_OP_SUBTRACT, left, parse_product(p));
        else break;
    }
    return left;
}

static uint16_t parse_comparison(parser *p)
{
    static const struct { const char *symbol; tcsi_op op; } relations[] = {
        { "<=", TCSI_OP_LESS_EQUAL }, { ">=", TCSI_OP_GREATER_EQUAL }, { "!=", TCSI_OP_NOT_EQUAL }, { "==", TCSI_OP_EQUAL },
        { "<", TCSI_OP_LESS }, { ">", TCSI_OP_GREATER }, { "=", TCSI_OP_EQUAL },
    };
    const uint16_t left = parse_sum(p);
    for (size_t i = 0; i < TCS_COUNT(relations) && !p->is_failed; i++)
        if (take(p, relations[i].symbol)) return combine(p, relations[i].op, left, parse_sum(p));
    return left;
}

static uint16_t parse_negation(parser *p)
{
    if (p->depth == TCSI_EXPRESSION_DEPTH_MAX) {
        fail(p, "fewer parentheses");
        return 0;
    }
    if (!take_word(p, "not")) return parse_comparison(p);
    p->depth++;
    const uint16_t node = combine_one(p, TCSI_OP_NOT, parse_negation(p));
    p->depth--;
    return node;
}

static uint16_t parse_conjunction(parser *p)
{
    uint16_t left = parse_negation(p);
    while (!p->is_failed && take_word(p, "and")) left = combine(p, TCSI_OP_AND, left, parse_negation(p));
    return left;
}

static uint16_t parse_logic(parser *p)
{
    uint16_t left = parse_conjunction(p);
    while (!p->is_failed && take_word(p, "or")) left = combine(p, TCSI_OP_OR, left, parse_conjunction(p));
    return left;
}

/* ---- whole texts ---- */

static parser *begin(const char *text, size_t line, tcsi_arena *arena, tcsi_problems *problems)
{
    parser *p = TCSI_NEW(parser);
    if (p) {
        p->begin = p->at = text;
        p->line = line;
        p->arena = arena;
        p->problems = problems;
    }
    return p;
}

static void need_end(parser *p, const char *expected)
{
    skip_blanks(p);
    if (*p->at) fail(p, expected);
}

static void keep_nodes(parser *p, tcsi_expression *ret_expression)
{
    tcsi_node *nodes = p->is_failed ? NULL : TCSI_ARENA_NEW(p->arena, tcsi_node, p->count);
    if (!nodes) {
        p->is_memory_out |= !p->is_failed;
        p->is_failed = true;
        return;
    }
    memcpy(nodes, p->nodes, p->count * sizeof *nodes);
    *ret_expression = (tcsi_expression){ .nodes = nodes, .count = p->count, .is_logical = p->is_logical[p->count - 1],
                                         .needs_times = p->needs_times };
}

static tcs_status end(parser *p, bool *ret_is_good, tcs_error *err)
{
    const bool is_memory_out = p->is_memory_out;
    *ret_is_good = !p->is_failed;
    tcsi_free(p);
    return is_memory_out ? tcsi_fail_memory(err, "a formula") : TCS_OK;
}

tcs_status tcsi_expression_parse(const char *text, bool wants_logic, size_t line, tcsi_arena *arena, tcsi_problems *problems,
                                 tcsi_expression *ret_expression, bool *ret_is_good, tcs_error *err)
{
    parser *p = begin(text, line, arena, problems);
    if (!p) return tcsi_fail_memory(err, "a formula");
    const uint16_t root = wants_logic ? parse_logic(p) : parse_sum(p);
    need_end(p, wants_logic ? "'and', 'or', a comparison or the end" : "an operator or the end");
    check_kind(p, root, wants_logic);
    keep_nodes(p, ret_expression);
    return end(p, ret_is_good, err);
}

/* The terms that are added or subtracted, through signs and parentheses. */
static void keep_terms(parser *p, tcsi_equation *equation)
{
    uint16_t stack[TCSI_EXPRESSION_NODE_COUNT_MAX], terms[TCSI_EXPRESSION_TERM_COUNT_MAX];
    size_t stack_count = 0, term_count = 0;
    stack[stack_count++] = (uint16_t)(p->count - 1);
    while (stack_count > 0) {
        const uint16_t at = stack[--stack_count];
        const tcsi_node *node = &p->nodes[at];
        if (node->op == TCSI_OP_ADD || node->op == TCSI_OP_SUBTRACT) {
            stack[stack_count++] = node->left;
            stack[stack_count++] = node->right;
        } else if (node->op == TCSI_OP_NEGATE) stack[stack_count++] = node->left;
        else if (term_count == TCSI_EXPRESSION_TERM_COUNT_MAX) fail(p, "at most 64 terms");
        else terms[term_count++] = at;
    }
    uint16_t *kept = p->is_failed ? NULL : TCSI_ARENA_NEW(p->arena, uint16_t, term_count);
    if (!kept) {
        p->is_memory_out |= !p->is_failed;
        p->is_failed = true;
        return;
    }
    memcpy(kept, terms, term_count * sizeof *kept);
    equation->terms = kept;
    equation->term_count = term_count;
}

static void parse_tolerance(parser *p, tcsi_equation *equation)
{
    bool is_time;
    skip_blanks(p);
    if (!(take(p, "±") || take(p, "+/-") || take(p, "+-"))) {
        fail(p, "a tolerance, such as ± 3% or +- 0.5");
        return;
    }
    if (!take_number(p, &equation->tolerance, &is_time)) fail(p, "a number");
    equation->is_percent = take(p, "%");
    need_end(p, "the end");
    const double largest = equation->is_percent ? 1000 : 1e100;
    if (!p->is_failed && !(equation->tolerance >= 1e-100 && equation->tolerance <= largest)) fail(p, "a tolerance above 0");
}

tcs_status tcsi_equation_parse(const char *text, size_t line, tcsi_arena *arena, tcsi_problems *problems, tcsi_equation *ret_equation,
                               bool *ret_is_good, tcs_error *err)
{
    parser *p = begin(text, line, arena, problems);
    if (!p) return tcsi_fail_memory(err, "a formula");
    tcsi_equation equation = { 0 };
    const uint16_t left = parse_sum(p);
    if (take(p, "<=")) equation.relation = TCSI_RELATION_AT_MOST;
    else if (take(p, ">=")) equation.relation = TCSI_RELATION_AT_LEAST;
    else if (!take(p, "=")) fail(p, "'=', '<=' or '>='");
    (void)combine(p, TCSI_OP_SUBTRACT, left, parse_sum(p));
    keep_nodes(p, &equation.difference);
    if (!p->is_failed) parse_tolerance(p, &equation);
    if (!p->is_failed) keep_terms(p, &equation);
    if (!p->is_failed) *ret_equation = equation;
    return end(p, ret_is_good, err);
}

bool tcsi_duration_parse(const char *text, int64_t *ret_ns)
{
    char *rest;
    if (*text < '0' || *text > '9' || text[1] == 'x' || text[1] == 'X') return false;
    const double value = strtod(text, &rest);
    while (*rest == ' ') rest++;
    for (size_t i = 0; i < TCS_COUNT(UNITS); i++) {
        if (strcmp(rest, UNITS[i].name) != 0) continue;
        const double seconds = value * UNITS[i].seconds;
        if (!(seconds >= 1e-9 && seconds <= DURATION_S_MAX)) return false;
        *ret_ns = (int64_t)(seconds * 1e9);
        return true;
    }
    return false;
}

/* ---- values ---- */

static double truth(bool value) { return value ? 1 : 0; }

static double compare(tcsi_op op, double left, double right)
{
    if (isnan(left) || isnan(right)) return NAN;
    switch (op) {
    case TCSI_OP_LESS: return truth(left < right);
    case TCSI_OP_LESS_EQUAL: return truth(left <= right);
    case TCSI_OP_GREATER: return truth(left > right);
    case TCSI_OP_GREATER_EQUAL: return truth(left >= right);
    case TCSI_OP_EQUAL: return truth(left == right);
    default: return truth(left != right);
    }
}

double tcsi_op_apply(tcsi_op op, double left, double right)
{
    switch (op) {
    case TCSI_OP_NEGATE: return -left;
    case TCSI_OP_ABS: return fabs(left);
    case TCSI_OP_NOT: return isnan(left) ? NAN : truth(left == 0);
    case TCSI_OP_ADD: return left + right;
    case TCSI_OP_SUBTRACT: return left - right;
    case TCSI_OP_MULTIPLY: return left * right;
    case TCSI_OP_DIVIDE: return right == 0 ? NAN : left / right;
    case TCSI_OP_MIN: return isnan(left) || isnan(right) ? NAN : left < right ? left : right;
    case TCSI_OP_MAX: return isnan(left) || isnan(right) ? NAN : left > right ? left : right;
    case TCSI_OP_AND: return left == 0 || right == 0 ? 0 : isnan(left) || isnan(right) ? NAN : 1;
    case TCSI_OP_OR: return left == 1 || right == 1 ? 1 : isnan(left) || isnan(right) ? NAN : 0;
    default: return compare(op, left, right);
    }
}

static void set_slopes(double left, double right, double *ret_left, double *ret_right)
{
    *ret_left = left;
    *ret_right = right;
}

void tcsi_op_slopes(tcsi_op op, double left, double right, double *ret_left, double *ret_right)
{
    switch (op) {
    case TCSI_OP_NEGATE: set_slopes(-1, 0, ret_left, ret_right); break;
    case TCSI_OP_ABS: set_slopes(left > 0 ? 1 : left < 0 ? -1 : 0, 0, ret_left, ret_right); break;
    case TCSI_OP_ADD: set_slopes(1, 1, ret_left, ret_right); break;
    case TCSI_OP_SUBTRACT: set_slopes(1, -1, ret_left, ret_right); break;
    case TCSI_OP_MULTIPLY: set_slopes(right, left, ret_left, ret_right); break;
    case TCSI_OP_DIVIDE: set_slopes(1 / right, -left / right / right, ret_left, ret_right); break;
    case TCSI_OP_MIN: set_slopes(truth(left < right), truth(!(left < right)), ret_left, ret_right); break;
    case TCSI_OP_MAX: set_slopes(truth(left > right), truth(!(left > right)), ret_left, ret_right); break;
    default: set_slopes(0, 0, ret_left, ret_right); break;
    }
}
