/* knowledge/circle.c -- formulas may refer to each other by name, but not in a circle: each comes after those that it refers to.
 * Depth first (R. Tarjan, "Edge-disjoint spanning trees and depth-first search", 1976): a formula that is met again while it is still
 * being looked at closes a circle, and the way from it is the circle.  SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/knowledge.h"

#include <stdio.h>
#include <string.h>

typedef enum state { UNSEEN, OPEN, DONE } state;

typedef struct walk {
    const tcsi_knowledge *k;
    tcsi_problems *problems;
    state states[2 * TCSI_FORMULA_COUNT_MAX];
    uint16_t path[2 * TCSI_FORMULA_COUNT_MAX]; /* formulas being looked at */
    size_t path_count, done_count;
    uint16_t *order;
} walk;

static void tell(walk *w, size_t again)
{
    char text[200] = "";
    size_t begin = w->path_count, used = 0;
    while (begin > 0 && w->path[begin - 1] != again) begin--;
    for (size_t i = begin - 1; i < w->path_count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s -> ", w->k->formulas[w->path[i]].name);
    if (used < sizeof text) snprintf(text + used, sizeof text - used, "%s", w->k->formulas[again].name);
    tcsi_problems_add(w->problems, w->k->formulas[w->path[w->path_count - 1]].line,
                      "a circle: %s; expected formulas that end at channels", text);
}

static void visit(walk *w, uint16_t at)
{
    const tcsi_expression *expression = &w->k->formulas[at].expression;
    w->states[at] = OPEN;
    w->path[w->path_count++] = at;
    for (size_t i = 0; i < expression->count; i++) {
        if (expression->nodes[i].op != TCSI_OP_NAME) continue;
        const size_t other = tcsi_knowledge_formula(w->k, expression->nodes[i].name);
        if (other == w->k->formula_count || w->states[other] == DONE) continue;
        if (w->states[other] == OPEN) tell(w, other);
        else visit(w, (uint16_t)other);
    }
    w->path_count--;
    w->states[at] = DONE;
    w->order[w->done_count++] = at;
}

tcs_status tcsi_knowledge_check_circles(tcsi_knowledge *knowledge, tcsi_problems *problems, tcs_error *err)
{
    walk w = { .k = knowledge, .problems = problems };
    w.order = TCSI_ARENA_NEW(&knowledge->arena, uint16_t, knowledge->formula_count + 1);
    if (!w.order) return tcsi_fail_memory(err, "knowledge");
    for (uint16_t i = 0; i < knowledge->formula_count; i++)
        if (w.states[i] == UNSEEN) visit(&w, i);
    knowledge->order = w.order;
    return TCS_OK;
}
