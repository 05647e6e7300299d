/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/bound.h"

#include "base/alloc.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- names ---- */

static void *take_room(tcsi_bound *bound, size_t count, size_t size, tcs_status *status, tcs_error *err)
{
    void *room = *status == TCS_OK ? tcsi_arena_alloc(&bound->arena, count ? count : 1, size) : NULL;
    if (room) memset(room, 0, (count ? count : 1) * size);
    else if (*status == TCS_OK) *status = tcsi_fail_memory(err, "knowledge of channels");
    return room;
}

#define ROOM(type, count) ((type *)take_room(bound, (count), sizeof(type), &status, err))

/* out_count: no channel of this name. */
static size_t find_channel(const tcsi_bound *bound, const char *name)
{
    size_t c = 0;
    while (c < bound->out_count && strcmp(bound->names[c], name) != 0) c++;
    return c;
}

static void tell_unknown(const tcsi_bound *bound, size_t line, const char *what, const char *name, tcsi_problems *problems)
{
    char suggestion[TCSI_SUGGESTION_SIZE], some[160] = "";
    size_t used = 0;
    tcsi_problems_suggest(name, bound->names, bound->out_count, suggestion);
    for (size_t c = 0; c < bound->out_count && c < 5 && used < sizeof some; c++)
        used += (size_t)snprintf(some + used, sizeof some - used, "%s%.30s", c ? ", " : "", bound->names[c]);
    tcsi_problems_add(problems, line, "%s names '%.60s', but the input has no such channel%s expected one of %s%s", what, name,
                      *suggestion ? suggestion : ";", some, bound->out_count > 5 ? ", ..." : "");
}

/* Does the pattern name any channel?  If not that is told. */
static bool is_used(const tcsi_bound *bound, size_t line, const char *what, const char *pattern, tcsi_problems *problems)
{
    for (size_t c = 0; c < bound->out_count; c++)
        if (tcsi_pattern_matches(pattern, bound->names[c])) return true;
    tell_unknown(bound, line, what, pattern, problems);
    return false;
}

static tcs_status bind_names(tcsi_bound *bound, const char *const *names, tcsi_problems *problems, tcs_error *err)
{
    const tcsi_knowledge *k = bound->knowledge;
    tcs_status status = TCS_OK;
    bound->out_count = bound->channel_count + k->formula_count;
    bound->names = ROOM(const char *, bound->out_count);
    bound->units = ROOM(const char *, bound->out_count);
    bound->low = ROOM(double, bound->out_count);
    bound->high = ROOM(double, bound->out_count);
    bound->fault_counts = ROOM(uint64_t, bound->out_count);
    for (size_t c = 0; status == TCS_OK && c < bound->out_count; c++) {
        const char *name = c < bound->channel_count ? names[c] : k->formulas[c - bound->channel_count].name;
        bound->names[c] = tcsi_arena_strndup(&bound->arena, name, strlen(name));
        bound->low[c] = -INFINITY;
        bound->high[c] = INFINITY;
        if (!bound->names[c]) status = tcsi_fail_memory(err, "knowledge of channels");
    }
    for (size_t i = 0; status == TCS_OK && i < k->formula_count; i++)
        if (find_channel(bound, k->formulas[i].name) < bound->channel_count)
            tcsi_problems_add(problems, k->formulas[i].line, "'%.60s' is the name of a channel of the input; expected another name",
                              k->formulas[i].name);
    return status;
}

static void bind_facts(tcsi_bound *bound, tcsi_problems *problems)
{
    const tcsi_knowledge *k = bound->knowledge;
    for (size_t i = 0; i < k->fact_count; i++) {
        const tcsi_channel_fact *fact = &k->facts[i];
        if (!is_used(bound, fact->line, "'channels'", fact->pattern, problems)) continue;
        for (size_t c = 0; c < bound->out_count; c++) {
            if (!tcsi_pattern_matches(fact->pattern, bound->names[c])) continue;
            if (fact->unit) bound->units[c] = fact->unit;
            if (isfinite(fact->low)) bound->low[c] = fact->low;
            if (isfinite(fact->high)) bound->high[c] = fact->high;
        }
    }
}

static tcs_status bind_limits(tcsi_bound *bound, tcsi_problems *problems, tcs_error *err)
{
    const tcsi_knowledge *k = bound->knowledge;
    tcs_status status = TCS_OK;
    size_t count = 0;
    for (size_t i = 0; i < k->limit_count; i++)
        for (size_t c = 0; c < bound->out_count; c++) count += tcsi_pattern_matches(k->limits[i].pattern, bound->names[c]);
    if (count > UINT16_MAX) return tcsi_fail(err, TCS_E_LIMIT, "%s: %zu alarms of channels; at most %d", k->file, count, UINT16_MAX);
    bound->limits = ROOM(tcsi_bound_limit, count);
    for (size_t i = 0; status == TCS_OK && i < k->limit_count; i++) {
        for (size_t c = 0; c < bound->out_count; c++)
            if (tcsi_pattern_matches(k->limits[i].pattern, bound->names[c]))
                bound->limits[bound->limit_count++] = (tcsi_bound_limit){ .limit = &k->limits[i], .channel = c };
        if (k->limits[i].for_ns > 0 && !bound->has_times)
            tcsi_problems_add(problems, k->limits[i].line, "'for' needs times, and the input has none");
    }
    return status;
}

static tcs_status bind_program(tcsi_bound *bound, const tcsi_expression *expression, size_t line, const char *what, tcsi_program *program,
                               tcsi_problems *problems, tcs_error *err)
{
    tcs_status status = TCS_OK;
    program->expression = expression;
    program->channels = ROOM(size_t, expression->count);
    program->pasts = ROOM(tcsi_past, expression->count);
    program->values = ROOM(double, expression->count);
    for (size_t i = 0; status == TCS_OK && i < expression->count; i++) {
        if (expression->nodes[i].op != TCSI_OP_NAME) continue;
        program->channels[i] = find_channel(bound, expression->nodes[i].name);
        if (program->channels[i] == bound->out_count) tell_unknown(bound, line, what, expression->nodes[i].name, problems);
    }
    if (expression->needs_times && !bound->has_times)
        tcsi_problems_add(problems, line, "%s looks back for a duration, and the input has no times; expected a number of rows", what);
    return status;
}

static tcs_status bind_programs(tcsi_bound *bound, tcsi_problems *problems, tcs_error *err)
{
    const tcsi_knowledge *k = bound->knowledge;
    tcs_status status = TCS_OK;
    char what[96];
    bound->programs = ROOM(tcsi_program, k->formula_count + k->rule_count);
    for (size_t i = 0; status == TCS_OK && i < k->formula_count + k->rule_count; i++) {
        const bool is_rule = i >= k->formula_count;
        const tcsi_formula *formula = is_rule ? NULL : &k->formulas[i];
        const tcsi_rule *rule = is_rule ? &k->rules[i - k->formula_count] : NULL;
        snprintf(what, sizeof what, "%s '%.60s'", is_rule ? "the rule" : formula->is_constraint ? "the constraint" : "the derived channel",
                 is_rule ? rule->name : formula->name);
        status = bind_program(bound, is_rule ? &rule->when : &formula->expression, is_rule ? rule->line : formula->line, what,
                              &bound->programs[i], problems, err);
    }
    return status;
}

/* What is computed from hidden channels is hidden too. */
static void hide_formulas(const tcsi_bound *bound, bool *hides)
{
    const tcsi_knowledge *k = bound->knowledge;
    for (size_t i = 0; i < k->formula_count; i++) {
        const tcsi_program *program = &bound->programs[k->order[i]];
        for (size_t n = 0; n < program->expression->count; n++)
            if (program->expression->nodes[n].op == TCSI_OP_NAME && program->channels[n] < bound->out_count)
                hides[bound->channel_count + k->order[i]] |= hides[program->channels[n]];
    }
}

static tcs_status bind_events(tcsi_bound *bound, tcsi_problems *problems, tcs_error *err)
{
    const tcsi_knowledge *k = bound->knowledge;
    tcs_status status = TCS_OK;
    bound->events = ROOM(tcsi_bound_event, k->event_count);
    for (size_t i = 0; status == TCS_OK && i < k->event_count; i++) {
        const tcsi_known_event *event = &k->events[i];
        tcsi_bound_event *to = &bound->events[i];
        if (!bound->has_times) tcsi_problems_add(problems, event->line, "the event '%.60s' needs times, and the input has none",
                                                 event->name);
        to->is_for_all = event->channel_count == 0;
        if (to->is_for_all) continue;
        to->hides = ROOM(bool, bound->out_count);
        for (size_t p = 0; status == TCS_OK && p < event->channel_count; p++) {
            if (!is_used(bound, event->line, "an event", event->channels[p], problems)) continue;
            for (size_t c = 0; c < bound->out_count; c++) to->hides[c] |= tcsi_pattern_matches(event->channels[p], bound->names[c]);
        }
        if (status == TCS_OK) hide_formulas(bound, to->hides);
    }
    return status;
}

static void check_signatures(const tcsi_bound *bound, tcsi_problems *problems)
{
    const tcsi_knowledge *k = bound->knowledge;
    for (size_t i = 0; i < k->signature_count; i++)
        for (size_t s = 0; s < k->signatures[i].step_count; s++) {
            const tcsi_step *step = &k->signatures[i].steps[s];
            (void)is_used(bound, step->line, "a signature", step->pattern, problems);
            if (step->within_ns > 0 && !bound->has_times)
                tcsi_problems_add(problems, step->line, "'within' needs times, and the input has none");
        }
}

tcs_status tcsi_bound_create(const tcsi_knowledge *knowledge, const char *const *names, size_t channel_count, bool has_times,
                             tcsi_problems *problems, tcsi_bound **ret_bound, tcs_error *err)
{
    tcsi_bound *bound = TCSI_NEW(tcsi_bound);
    if (!bound) return tcsi_fail_memory(err, "knowledge of channels");
    tcsi_problems_init(problems, knowledge->file);
    tcsi_arena_init(&bound->arena, 0);
    bound->knowledge = tcsi_knowledge_ref(knowledge);
    bound->channel_count = channel_count;
    bound->has_times = has_times;
    tcs_status status = bind_names(bound, names, problems, err);
    if (status == TCS_OK) bind_facts(bound, problems);
    if (status == TCS_OK) status = bind_limits(bound, problems, err);
    if (status == TCS_OK) status = bind_programs(bound, problems, err);
    if (status == TCS_OK) status = bind_events(bound, problems, err);
    if (status == TCS_OK) check_signatures(bound, problems);
    if (status == TCS_OK) status = tcsi_problems_status(problems, err);
    if (status == TCS_OK) *ret_bound = bound;
    else tcsi_bound_destroy(bound);
    return status;
}

void tcsi_bound_destroy(tcsi_bound *bound)
{
    if (!bound) return;
    const size_t count = bound->programs ? bound->knowledge->formula_count + bound->knowledge->rule_count : 0;
    for (size_t i = 0; i < count; i++)
        for (size_t n = 0; bound->programs[i].pasts && n < bound->programs[i].expression->count; n++)
            tcsi_past_deinit(&bound->programs[i].pasts[n]);
    tcsi_arena_deinit(&bound->arena);
    tcsi_knowledge_destroy(bound->knowledge);
    tcsi_free(bound);
}

/* ---- a row ---- */

static double usable(double value) { return fabs(value) <= TCS_VALUE_MAX ? value : NAN; }

static tcs_status evaluate(tcsi_program *program, int64_t time_ns, const double *channels, double *ret_value, tcs_error *err)
{
    const tcsi_node *nodes = program->expression->nodes;
    double *values = program->values;
    const size_t count = program->expression->count;
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        const tcsi_node *node = &nodes[i];
        if (node->op == TCSI_OP_NUMBER) values[i] = node->number;
        else if (node->op == TCSI_OP_NAME) values[i] = channels[program->channels[i]];
        else if (node->op == TCSI_OP_RATE || node->op == TCSI_OP_LAG || node->op == TCSI_OP_MEAN)
            status = tcsi_past_push(&program->pasts[i], node, time_ns, values[node->left], &values[i], err);
        else values[i] = tcsi_op_apply(node->op, values[node->left], values[node->right]);
    }
    *ret_value = values[count - 1];
    return status;
}

/* In units of the tolerance; an inequality that holds leaves 0. */
static double residual(const tcsi_equation *equation, const tcsi_program *program, double difference)
{
    double scale = equation->tolerance;
    if (equation->is_percent) {
        double largest = 0;
        for (size_t i = 0; i < equation->term_count; i++) largest = fmax(largest, fabs(program->values[equation->terms[i]]));
        scale *= largest / 100;
    }
    if (equation->relation == TCSI_RELATION_AT_MOST && difference < 0) return 0;
    if (equation->relation == TCSI_RELATION_AT_LEAST && difference > 0) return 0;
    return difference == 0 ? 0 : difference / scale;
}

static double within_range(tcsi_bound *bound, size_t channel, double value)
{
    if (!(value < bound->low[channel] || value > bound->high[channel])) return value;
    bound->fault_counts[channel]++;
    return NAN;
}

static tcs_status compute(tcsi_bound *bound, int64_t time_ns, double *values, tcs_error *err)
{
    const tcsi_knowledge *k = bound->knowledge;
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < k->formula_count && status == TCS_OK; i++) {
        const tcsi_formula *formula = &k->formulas[k->order[i]];
        tcsi_program *program = &bound->programs[k->order[i]];
        const size_t channel = bound->channel_count + k->order[i];
        double value;
        status = evaluate(program, time_ns, values, &value, err);
        if (status != TCS_OK) break;
        if (formula->is_constraint) value = residual(&formula->equation, program, value);
        values[channel] = within_range(bound, channel, usable(value));
    }
    return status;
}

static tcs_status ask_rules(tcsi_bound *bound, int64_t time_ns, const double *values, uint16_t *ret_spoken, tcs_error *err)
{
    const tcsi_knowledge *k = bound->knowledge;
    tcs_status status = TCS_OK;
    *ret_spoken = 0;
    for (size_t r = 0; r < k->rule_count && status == TCS_OK; r++) {
        double value;
        status = evaluate(&bound->programs[k->formula_count + r], time_ns, values, &value, err);
        if (status == TCS_OK && value == 1) *ret_spoken |= (uint16_t)(1u << r);
    }
    return status;
}

/* A missing value neither passes a limit nor ends its passing. */
static void watch_limits(tcsi_bound *bound, int64_t time_ns, const double *values, tcsi_order *order)
{
    for (size_t i = 0; i < bound->limit_count; i++) {
        tcsi_bound_limit *b = &bound->limits[i];
        const double value = values[b->channel];
        if (isnan(value)) continue;
        const bool is_passed = value > b->limit->above || value < b->limit->below;
        if (is_passed && !b->is_passed) b->since_ns = time_ns;
        b->is_passed = is_passed;
        if (is_passed && order->kind != TCSI_ORDER_ALARM && time_ns - b->since_ns >= b->limit->for_ns)
            *order = (tcsi_order){ TCSI_ORDER_ALARM, (uint16_t)i };
    }
}

static bool is_covered(const tcsi_known_event *event, tcsi_bound_event *b, int64_t time_ns)
{
    const int64_t minute = time_ns / TCSI_NS_PER_MINUTE;
    const bool is_by_minute = event->kind != TCSI_EVENT_ONCE && event->duration_ns % TCSI_NS_PER_MINUTE == 0;
    if (!is_by_minute) return tcsi_known_event_covers(event, time_ns);
    if (!b->is_known || b->minute != minute) {
        b->covers = tcsi_known_event_covers(event, time_ns);
        b->minute = minute;
        b->is_known = true;
    }
    return b->covers;
}

static void ask_events(tcsi_bound *bound, int64_t time_ns, double *values, tcsi_order *order)
{
    const tcsi_knowledge *k = bound->knowledge;
    for (size_t i = 0; i < k->event_count; i++) {
        tcsi_bound_event *b = &bound->events[i];
        if (!is_covered(&k->events[i], b, time_ns)) continue;
        if (!b->is_for_all) {
            for (size_t c = 0; c < bound->out_count; c++)
                if (b->hides[c]) values[c] = NAN;
        } else if (order->kind == TCSI_ORDER_NONE) *order = (tcsi_order){ TCSI_ORDER_EXCUSE, (uint16_t)i };
    }
}

tcs_status tcsi_bound_push(tcsi_bound *bound, int64_t time_ns, const double *values, double *ret_values, tcsi_bound_row *ret_row,
                           tcs_error *err)
{
    if (!bound->has_times) time_ns = (int64_t)bound->row_count * TCSI_NS_PER_S; /* a row is the unit of time */
    for (size_t c = 0; c < bound->channel_count; c++) ret_values[c] = within_range(bound, c, usable(values[c]));
    *ret_row = (tcsi_bound_row){ 0 };
    tcs_status status = compute(bound, time_ns, ret_values, err);
    if (status == TCS_OK) status = ask_rules(bound, time_ns, ret_values, &ret_row->spoken, err);
    if (status != TCS_OK) return status;
    watch_limits(bound, time_ns, ret_values, &ret_row->order);
    ask_events(bound, time_ns, ret_values, &ret_row->order);
    bound->row_count++;
    return TCS_OK;
}

/* Of rows looked back at a power of two is kept, twice as many while it grows; of a duration nobody knows how many they are. */
size_t tcsi_bound_size_max(const tcsi_bound *bound)
{
    size_t size = sizeof *bound + bound->arena.size;
    for (size_t i = 0; i < bound->knowledge->formula_count + bound->knowledge->rule_count; i++)
        for (size_t n = 0; n < bound->programs[i].expression->count; n++) {
            const tcsi_node *node = &bound->programs[i].expression->nodes[n];
            const size_t rows = node->rows > 0 ? 4 * (node->rows + 16) : node->duration_ns > 0 ? 2 * (size_t)TCSI_PAST_ROWS_MAX : 0;
            size = tcsi_size_sum(size, rows * sizeof(tcsi_past_row));
        }
    return size;
}

void tcsi_bound_persist(tcsi_bound *bound, tcsi_codec *codec)
{
    const tcsi_knowledge *k = bound->knowledge;
    tcsi_codec_tag(codec, "BOUN");
    tcsi_codec_u64(codec, &bound->row_count);
    for (size_t c = 0; c < bound->out_count; c++) tcsi_codec_u64(codec, &bound->fault_counts[c]);
    for (size_t i = 0; i < bound->limit_count; i++) {
        tcsi_codec_i64(codec, &bound->limits[i].since_ns);
        tcsi_codec_bool(codec, &bound->limits[i].is_passed);
    }
    for (size_t i = 0; i < k->formula_count + k->rule_count; i++)
        for (size_t n = 0; n < bound->programs[i].expression->count && tcsi_codec_status(codec) == TCS_OK; n++) {
            const tcsi_op op = bound->programs[i].expression->nodes[n].op;
            if (op == TCSI_OP_RATE || op == TCSI_OP_LAG || op == TCSI_OP_MEAN) tcsi_past_persist(&bound->programs[i].pasts[n], codec);
        }
}

/* ---- a frame ---- */

static tcs_status copy_heads(const tcsi_bound *bound, const tcsi_frame *from, tcsi_frame *to, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t c = 0; c < bound->out_count && status == TCS_OK; c++) {
        const char *unit = bound->units[c] ? bound->units[c] : c < from->channel_count ? from->channels[c].unit : NULL;
        status = tcsi_frame_channel_rename(to, c, bound->names[c], err);
        if (status == TCS_OK && unit && !(to->channels[c].unit = tcsi_strdup(unit))) status = tcsi_fail_memory(err, "units");
    }
    if (status == TCS_OK && from->time_name && !(to->time_name = tcsi_strdup(from->time_name))) status = tcsi_fail_memory(err, "names");
    if (status == TCS_OK && from->label_name && !(to->label_name = tcsi_strdup(from->label_name))) status = tcsi_fail_memory(err, "names");
    return status;
}

tcs_status tcsi_bound_prepare(const tcsi_bound *bound, const tcsi_frame *frame, tcsi_applied *ret_applied, tcs_error *err)
{
    tcsi_applied applied = { .orders = TCSI_NEW_ZEROS(tcsi_order, frame->row_count), .spoken = TCSI_NEW_ZEROS(uint16_t, frame->row_count) };
    tcs_status status = applied.orders && applied.spoken ? TCS_OK : tcsi_fail_memory(err, "knowledge of rows");
    TCS_ASSERT(frame->channel_count == bound->channel_count);
    if (status == TCS_OK)
        status = tcsi_frame_create(bound->out_count, frame->row_count, frame->times_ns, frame->labels, &applied.frame, err);
    if (status == TCS_OK) status = copy_heads(bound, frame, applied.frame, err);
    if (status == TCS_OK) *ret_applied = applied;
    else tcsi_applied_deinit(&applied);
    return status;
}

tcs_status tcsi_applied_add(tcsi_applied *applied, const tcsi_frame *frame, const double *values, const tcsi_bound_row *row, tcs_error *err)
{
    const size_t t = applied->frame->row_count;
    applied->orders[t] = row->order;
    applied->spoken[t] = row->spoken;
    return tcsi_frame_append(applied->frame, values, frame->times_ns ? frame->times_ns[t] : 0, frame->labels ? frame->labels[t] : 0, err);
}

tcs_status tcsi_bound_apply(tcsi_bound *bound, const tcsi_frame *frame, tcsi_applied *ret_applied, tcs_error *err)
{
    tcsi_applied applied = { 0 };
    double *in = TCSI_NEW_ARRAY(double, bound->channel_count), *out = TCSI_NEW_ARRAY(double, bound->out_count);
    tcs_status status = in && out ? tcsi_bound_prepare(bound, frame, &applied, err) : tcsi_fail_memory(err, "knowledge of rows");
    for (size_t t = 0; t < frame->row_count && status == TCS_OK; t++) {
        tcsi_bound_row row;
        tcsi_frame_row(frame, t, in);
        status = tcsi_bound_push(bound, frame->times_ns ? frame->times_ns[t] : 0, in, out, &row, err);
        if (status == TCS_OK) status = tcsi_applied_add(&applied, frame, out, &row, err);
    }
    if (status == TCS_OK) *ret_applied = applied;
    else tcsi_applied_deinit(&applied);
    tcsi_free(in);
    tcsi_free(out);
    return status;
}

void tcsi_applied_deinit(tcsi_applied *applied)
{
    tcsi_frame_destroy(applied->frame);
    tcsi_free(applied->orders);
    tcsi_free(applied->spoken);
    *applied = (tcsi_applied){ 0 };
}

void tcsi_bound_limit_format(const tcsi_bound *bound, size_t limit, char *ret_text, size_t size)
{
    const tcsi_bound_limit *b = &bound->limits[limit];
    tcsi_limit_format(b->limit, bound->names[b->channel], bound->units[b->channel], ret_text, size);
}
