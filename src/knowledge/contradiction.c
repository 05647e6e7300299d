/* knowledge/contradiction.c -- ranges and constraints that no values fit at once.
 *
 * Everything stated is written as rows a'x <= b over unknowns x: channels, and whatever is not a sum of multiples of channels (a product of
 * two, d(x)/dt, abs(...)) as an unknown of its own, free to take any value.  So what is refused truly has no solution, but not every
 * contradiction is seen: only those of intervals and linear equations.
 *
 * Rows have no solution exactly when some of them, added up with weights y >= 0, say 0 <= -1 (G. Farkas, "Theorie der einfachen
 * Ungleichungen", 1902): A'y = 0, b'y = -1.  Such a y is looked for by the first phase of the simplex method, with Bland's rule so that it
 * ends; a basic solution weighs no more rows than it needs, and these are the statements that contradict each other, which the
 * message names.  y is checked against the rows before anything is said.  SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/knowledge.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { UNKNOWN_COUNT_MAX = 96, ROW_COUNT_MAX = 384, KEY_SIZE = 160, STEP_COUNT_MAX = 20000 };

static const double TINY = 1e-9;

/* One statement; both sides of an interval are two rows of the same formula or fact. */
typedef struct row {
    double a[UNKNOWN_COUNT_MAX], b;
    const tcsi_formula *formula;     /* or */
    const tcsi_channel_fact *fact;
} row;

typedef struct system {
    const tcsi_knowledge *k;
    row *rows;
    size_t row_count, unknown_count;
    char keys[UNKNOWN_COUNT_MAX][KEY_SIZE];
    bool is_channel[UNKNOWN_COUNT_MAX];
} system_of;

/* A sum of multiples of unknowns and a constant. */
typedef struct form {
    double a[UNKNOWN_COUNT_MAX], constant;
} form;

/* ---- formulas as sums ---- */

static void render(const tcsi_node *nodes, size_t at, char *text, size_t *used)
{
    const tcsi_node *node = &nodes[at];
    if (*used + 1 >= KEY_SIZE) return;
    if (node->op == TCSI_OP_NUMBER) *used += (size_t)snprintf(text + *used, KEY_SIZE - *used, "%.17g", node->number);
    else if (node->op == TCSI_OP_NAME) *used += (size_t)snprintf(text + *used, KEY_SIZE - *used, "'%s'", node->name);
    else {
        *used += (size_t)snprintf(text + *used, KEY_SIZE - *used, "%d:%zu:%lld(", (int)node->op, node->rows, (long long)node->duration_ns);
        render(nodes, node->left, text, used);
        if (node->right != node->left) render(nodes, node->right, text, used);
        if (*used + 1 < KEY_SIZE) *used += (size_t)snprintf(text + *used, KEY_SIZE - *used, ")");
    }
}

/* The unknown that stands for a node; false: there are too many, or its text is too long to tell it from others. */
static bool find_unknown(system_of *s, const tcsi_node *nodes, size_t at, size_t *ret_unknown)
{
    char key[KEY_SIZE] = "";
    size_t used = 0;
    render(nodes, at, key, &used);
    if (used + 1 >= KEY_SIZE) return false;
    for (size_t i = 0; i < s->unknown_count; i++)
        if (strcmp(s->keys[i], key) == 0) {
            *ret_unknown = i;
            return true;
        }
    if (s->unknown_count == UNKNOWN_COUNT_MAX) return false;
    memcpy(s->keys[s->unknown_count], key, sizeof key);
    s->is_channel[s->unknown_count] = nodes[at].op == TCSI_OP_NAME;
    *ret_unknown = s->unknown_count++;
    return true;
}

/* The value of a node without unknowns, else NaN. */
static double constant_of(const tcsi_node *nodes, size_t at)
{
    const tcsi_node *node = &nodes[at];
    if (node->op == TCSI_OP_NUMBER) return node->number;
    if (node->op == TCSI_OP_NAME || node->op == TCSI_OP_RATE || node->op == TCSI_OP_LAG || node->op == TCSI_OP_MEAN) return NAN;
    const double left = constant_of(nodes, node->left);
    return tcsi_op_apply(node->op, left, node->right == node->left ? left : constant_of(nodes, node->right));
}

/* Adds scale times the node to f. */
static bool add_node(system_of *s, const tcsi_node *nodes, size_t at, double scale, form *f)
{
    const tcsi_node *node = &nodes[at];
    const double whole = constant_of(nodes, at);
    size_t unknown;
    if (!isnan(whole)) {
        f->constant += scale * whole;
        return true;
    }
    if (node->op == TCSI_OP_ADD || node->op == TCSI_OP_SUBTRACT)
        return add_node(s, nodes, node->left, scale, f) && add_node(s, nodes, node->right, node->op == TCSI_OP_ADD ? scale : -scale, f);
    if (node->op == TCSI_OP_NEGATE) return add_node(s, nodes, node->left, -scale, f);
    const double left = constant_of(nodes, node->left), right = constant_of(nodes, node->right);
    if (node->op == TCSI_OP_MULTIPLY && !isnan(left)) return add_node(s, nodes, node->right, scale * left, f);
    if (node->op == TCSI_OP_MULTIPLY && !isnan(right)) return add_node(s, nodes, node->left, scale * right, f);
    if (node->op == TCSI_OP_DIVIDE && !isnan(right) && right != 0) return add_node(s, nodes, node->left, scale / right, f);
    if (!find_unknown(s, nodes, at, &unknown)) return false;
    f->a[unknown] += scale;
    return true;
}

/* ---- rows ---- */

/* sign (a'x) <= b, in units of its largest coefficient. */
static void add_row(system_of *s, const double *a, double sign, double b, const tcsi_formula *formula, const tcsi_channel_fact *fact)
{
    double largest = 0;
    if (s->row_count == ROW_COUNT_MAX || !isfinite(b)) return; /* what is too much is not looked at */
    for (size_t j = 0; j < UNKNOWN_COUNT_MAX; j++) largest = fmax(largest, fabs(a[j]));
    if (largest == 0) largest = 1;
    row *to = &s->rows[s->row_count++];
    *to = (row){ .b = b / largest, .formula = formula, .fact = fact };
    for (size_t j = 0; j < UNKNOWN_COUNT_MAX; j++) to->a[j] = sign * a[j] / largest;
}

/* low <= a'x <= high of a constraint; infinite: open. */
static void constraint_bounds(const tcsi_equation *e, const form *f, double *ret_low, double *ret_high)
{
    const tcsi_node *nodes = e->difference.nodes;
    const double target = -f->constant;
    double low = target - e->tolerance, high = target + e->tolerance;
    if (e->is_percent) { /* of two terms, one of them a number, the larger is told by the number; of others nothing linear follows */
        const double p = e->tolerance / 100;
        bool has_number = false;
        for (size_t i = 0; i < e->term_count; i++) has_number |= !isnan(constant_of(nodes, e->terms[i]));
        const bool is_plain = e->term_count == 2 && has_number && p < 1;
        low = is_plain ? (target > 0 ? target * (1 - p) : target / (1 - p)) : -INFINITY;
        high = is_plain ? (target > 0 ? target / (1 - p) : target * (1 - p)) : INFINITY;
    }
    *ret_low = e->relation == TCSI_RELATION_AT_MOST ? -INFINITY : low;
    *ret_high = e->relation == TCSI_RELATION_AT_LEAST ? INFINITY : high;
}

static void add_formula(system_of *s, const tcsi_formula *formula)
{
    form f = { 0 };
    double low = 0, high = 0;
    const tcsi_expression *x = &formula->expression;
    if (!add_node(s, x->nodes, x->count - 1, 1, &f)) return;
    if (formula->is_constraint) constraint_bounds(&formula->equation, &f, &low, &high);
    else { /* its name is an unknown that equals it */
        const tcsi_node self = { .op = TCSI_OP_NAME, .name = formula->name };
        size_t unknown;
        if (!find_unknown(s, &self, 0, &unknown)) return;
        f.a[unknown] -= 1;
        low = high = -f.constant;
    }
    add_row(s, f.a, 1, high, formula, NULL);
    add_row(s, f.a, -1, -low, formula, NULL);
}

static void add_ranges(system_of *s)
{
    for (size_t j = 0; j < s->unknown_count; j++) {
        char name[KEY_SIZE];
        double a[UNKNOWN_COUNT_MAX] = { 0 };
        if (!s->is_channel[j]) continue;
        snprintf(name, sizeof name, "%.*s", (int)strlen(s->keys[j]) - 2, s->keys[j] + 1);
        a[j] = 1;
        for (size_t i = 0; i < s->k->fact_count; i++) {
            const tcsi_channel_fact *fact = &s->k->facts[i];
            if (!tcsi_pattern_matches(fact->pattern, name)) continue;
            add_row(s, a, 1, fact->high, NULL, fact);
            add_row(s, a, -1, -fact->low, NULL, fact);
        }
    }
}

/* ---- simplex ---- */

typedef struct tableau {
    double *cells;       /* (height + 1, width): rows, then what the sum of artificials gains by each column */
    size_t *basis;       /* (height) */
    size_t height, width;
} tableau;

static double *cell(const tableau *t, size_t i, size_t j) { return &t->cells[i * t->width + j]; }

static void pivot(tableau *t, size_t at, size_t column)
{
    const double by = *cell(t, at, column);
    for (size_t j = 0; j < t->width; j++) *cell(t, at, j) /= by;
    for (size_t i = 0; i <= t->height; i++) {
        const double factor = *cell(t, i, column);
        if (i == at || factor == 0) continue;
        for (size_t j = 0; j < t->width; j++) *cell(t, i, j) -= factor * *cell(t, at, j);
        *cell(t, i, column) = 0;
    }
    t->basis[at] = column;
}

/* Bland: the first column that gains, and of the rows that bind first the one whose basic column is first. */
static bool improve(tableau *t, size_t column_count)
{
    size_t column = 0, best = t->height;
    while (column < column_count && *cell(t, t->height, column) <= TINY) column++;
    if (column == column_count) return false;
    for (size_t i = 0; i < t->height; i++) {
        if (*cell(t, i, column) <= TINY) continue;
        const double ratio = *cell(t, i, t->width - 1) / *cell(t, i, column);
        const double least = best < t->height ? *cell(t, best, t->width - 1) / *cell(t, best, column) : INFINITY;
        if (ratio < least || (ratio == least && t->basis[i] < t->basis[best])) best = i;
    }
    if (best == t->height) return false;
    pivot(t, best, column);
    return true;
}

/* Do the weights add the rows up to 0 <= less than nothing, rounding aside? */
static bool is_proof(const system_of *s, const double *weights)
{
    double b = 0, b_size = 0;
    for (size_t i = 0; i < s->row_count; i++) {
        b += weights[i] * s->rows[i].b;
        b_size += weights[i] * fabs(s->rows[i].b);
    }
    for (size_t j = 0; j < s->unknown_count; j++) {
        double a = 0, a_size = 0;
        for (size_t i = 0; i < s->row_count; i++) {
            a += weights[i] * s->rows[i].a[j];
            a_size += weights[i] * fabs(s->rows[i].a[j]);
        }
        if (fabs(a) > TINY * a_size) return false;
    }
    return b < -TINY * b_size;
}

/* weights: (row_count).  *ret_found: they prove that the rows have no solution. */
static tcs_status solve(const system_of *s, double *weights, bool *ret_found, tcs_error *err)
{
    const size_t m = s->row_count, n = s->unknown_count + 1;
    tableau t = { .height = n, .width = m + 1 };
    double b_largest = 0;
    t.cells = TCSI_NEW_ZEROS(double, (n + 1) * t.width);
    t.basis = TCSI_NEW_ARRAY(size_t, n);
    tcs_status status = t.cells && t.basis ? TCS_OK : tcsi_fail_memory(err, "constraints");
    for (size_t i = 0; i < m; i++) b_largest = fmax(b_largest, fabs(s->rows[i].b));
    for (size_t i = 0; status == TCS_OK && i < n; i++) {
        t.basis[i] = m + i; /* artificial, and never back */
        for (size_t j = 0; j < m; j++) *cell(&t, i, j) = i + 1 < n ? s->rows[j].a[i] : b_largest > 0 ? -s->rows[j].b / b_largest : 0;
        *cell(&t, i, m) = i + 1 < n ? 0 : 1;
        for (size_t j = 0; j <= m; j++) *cell(&t, n, j) += *cell(&t, i, j);
    }
    for (size_t step = 0; status == TCS_OK && step < STEP_COUNT_MAX && improve(&t, m); step++) {}
    memset(weights, 0, m * sizeof *weights);
    for (size_t i = 0; status == TCS_OK && i < n; i++)
        if (t.basis[i] < m && *cell(&t, i, m) > 0) weights[t.basis[i]] = *cell(&t, i, m);
    *ret_found = status == TCS_OK && is_proof(s, weights);
    tcsi_free(t.cells);
    tcsi_free(t.basis);
    return status;
}

/* ---- telling ---- */

/* Names the statements that contradict each other, at the last of them that is a formula, which is then left out. */
static void tell(system_of *s, const double *weights, tcsi_problems *problems)
{
    const tcsi_formula *last = NULL;
    char text[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < s->row_count; i++) {
        const tcsi_formula *formula = s->rows[i].formula;
        if (weights[i] > 0 && formula && (!last || formula->line > last->line)) last = formula;
    }
    if (!last) return;
    const void *named = NULL;
    for (size_t i = 0; i < s->row_count && used < sizeof text; i++) {
        const row *r = &s->rows[i];
        const void *stated = r->formula ? (const void *)r->formula : r->fact;
        if (weights[i] <= 0 || r->formula == last || stated == named) continue;
        named = stated;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s '%.40s' (line %zu)", used ? ", " : "",
                                 !r->formula ? "the range of" : r->formula->is_constraint ? "the constraint" : "the derived channel",
                                 r->formula ? r->formula->name : r->fact->pattern, r->formula ? r->formula->line : r->fact->line);
    }
    if (used) tcsi_problems_add(problems, last->line, "'%.40s' contradicts %s: no values fit them all", last->name, text);
    else tcsi_problems_add(problems, last->line, "'%.40s' contradicts itself: no values fit '%.80s'", last->name, last->text);
    size_t kept = 0;
    for (size_t i = 0; i < s->row_count; i++)
        if (s->rows[i].formula != last) s->rows[kept++] = s->rows[i];
    s->row_count = kept;
}

tcs_status tcsi_knowledge_check_contradictions(const tcsi_knowledge *knowledge, tcsi_problems *problems, tcs_error *err)
{
    if (knowledge->formula_count == 0) return TCS_OK;
    system_of *s = TCSI_NEW(system_of);
    row *rows = TCSI_NEW_ARRAY(row, ROW_COUNT_MAX);
    double weights[ROW_COUNT_MAX];
    bool is_found = true;
    tcs_status status = s && rows ? TCS_OK : tcsi_fail_memory(err, "constraints");
    if (status == TCS_OK) {
        s->k = knowledge;
        s->rows = rows;
        for (size_t i = 0; i < knowledge->formula_count; i++) add_formula(s, &knowledge->formulas[i]);
        add_ranges(s);
    }
    for (size_t told = 0; status == TCS_OK && is_found && told < TCSI_PROBLEM_COUNT_MAX; told++) {
        const size_t before = s->row_count;
        status = solve(s, weights, &is_found, err);
        if (status == TCS_OK && is_found) tell(s, weights, problems);
        is_found &= s->row_count < before;
    }
    tcsi_free(rows);
    tcsi_free(s);
    return status;
}
