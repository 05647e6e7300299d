/* SPDX-License-Identifier: Apache-2.0 */
#include "preview.h"

#include "outcome.h"

#include <math.h>
#include <string.h>

typedef struct candidate {
    const char *name, *policy, *budget; /* NULL: as asked for, or the default */
} candidate;

typedef struct tally {
    double promised, team_promised; /* NaN: nothing in numbers; no team */
    size_t raised, confirmed, right, event_count, found;
} tally;

static bool is_labelled(const uint8_t *labels, size_t begin, size_t end)
{
    for (size_t t = begin; t < end; t++)
        if (labels[t]) return true;
    return false;
}

static tally count(const tcs_frame *frame, const tcs_result *result)
{
    const uint8_t *labels = tcs_frame_labels(frame), *anomalies = tcs_result_anomalies(result);
    const tcs_team team = tcs_result_team(result);
    tally t = { .promised = tcs_result_own_threshold(result) ? NAN : tcs_result_budget(result),
                .team_promised = team.name ? tcs_result_budget(result) * (double)team.series_count : NAN,
                .raised = tcs_result_episode_count(result) };
    for (size_t i = 0; i < t.raised; i++) {
        const tcs_episode episode = tcs_result_episode(result, i);
        t.confirmed += episode.state == TCS_EPISODE_CONFIRMED || episode.state == TCS_EPISODE_RESOLVED;
        t.right += labels && is_labelled(labels, episode.row_begin, episode.row_end);
    }
    for (size_t row = 0, row_count = tcs_frame_row_count(frame); labels && row < row_count; row++) {
        if (!labels[row]) continue;
        bool found = false;
        t.event_count++;
        for (; row < row_count && labels[row]; row++) found |= anomalies[row];
        t.found += found;
    }
    return t;
}

static void print_row(const char *name, const tally *t, bool labelled)
{
    char promised[24] = "its own";
    if (!isnan(t->promised)) snprintf(promised, sizeof promised, "%.3g", t->promised);
    printf("    %-24s %9s %9zu %10zu", name, promised, t->raised, t->confirmed);
    if (labelled) printf(" %9zu   %zu of %zu", t->raised - t->right, t->found, t->event_count);
    printf("\n");
}

static void write_row(tcsi_json_writer *w, const char *name, const tally *t, bool labelled)
{
    const struct { const char *key; double value; } numbers[] = {
        { "promised", t->promised }, { "raised", (double)t->raised }, { "confirmed", (double)t->confirmed },
        { "false", (double)(t->raised - t->right) }, { "events", (double)t->event_count }, { "events_found", (double)t->found },
    };
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "policy");
    tcsi_json_string(w, name);
    if (!isnan(t->team_promised)) tcsi_json_put_number(w, "team_promised", t->team_promised);
    for (size_t i = 0; i < (labelled ? TCS_COUNT(numbers) : 3); i++) {
        tcsi_json_key(w, numbers[i].key);
        tcsi_json_number(w, numbers[i].value);
    }
    tcsi_json_end_object(w);
}

/* What was asked for first, then the usual ones that differ from it. */
static size_t choose_candidates(const tcs_frame *frame, const tcs_detect_options *asked, candidate *ret_candidates)
{
    static const candidate timed[] = { { "1/day", NULL, "1/day" }, { "1/week", NULL, "1/week" }, { "0.25/week", NULL, "0.25/week" } };
    static const candidate counted[] = { { "1", NULL, "1" }, { "5", NULL, "5" }, { "20", NULL, "20" } };
    const candidate *usual = tcs_frame_has_real_times(frame) ? timed : counted;
    const char *policy = asked->policy ? asked->policy : "budget", *budget = asked->alarm_budget;
    size_t n = 0;
    ret_candidates[n++] = (candidate){ "as asked for", asked->policy, asked->alarm_budget };
    for (size_t i = 0; i < TCS_COUNT(timed); i++)
        if (strcmp(policy, "budget") != 0 || !budget || strcmp(budget, usual[i].budget) != 0) ret_candidates[n++] = usual[i];
    if (strcmp(policy, "evidence") != 0 && asked->mode == TCS_MODE_ONLINE)
        ret_candidates[n++] = (candidate){ "evidence, 1/week", "evidence", usual[1].budget };
    if (strncmp(policy, "cost", 4) != 0 && !asked->team) ret_candidates[n++] = (candidate){ "cost=5:1", "cost=5:1", NULL };
    return n;
}

tcs_status cli_preview(const tcs_frame *frame, const tcs_detect_options *asked, const char *input, tcsi_json_writer *w, tcs_error *err)
{
    candidate candidates[8];
    const size_t candidate_count = choose_candidates(frame, asked, candidates);
    const bool labelled = tcs_frame_labels(frame) != NULL;
    tcs_status status = TCS_OK;
    tcs_result *first = NULL;
    if (w) tcsi_json_begin_array(w);
    for (size_t i = 0; status == TCS_OK && i < candidate_count; i++) {
        tcs_detect_options options = *asked;
        tcs_result *result = NULL;
        options.policy = candidates[i].policy;
        options.alarm_budget = candidates[i].budget;
        options.checkpoint = NULL;
        status = tcs_detect(frame, &options, &result, err);
        if (status != TCS_OK) break;
        const tally t = count(frame, result);
        if (i == 0 && !w) {
            printf("\n  preview: what would have alarmed in these rows\n");
            if (asked->team)
                printf("  promised: this series' part of what the %zu series of %s share\n", asked->team_series_count, asked->team);
            printf("\n    %-24s %9s %9s %10s%s\n", "policy", "promised", "raised",
                   "confirmed", labelled ? "     false   events found" : "");
        }
        if (w) write_row(w, candidates[i].name, &t, labelled);
        else print_row(candidates[i].name, &t, labelled);
        if (i == 0) first = result;
        else tcs_result_destroy(result);
    }
    if (w) tcsi_json_end_array(w);
    if (status == TCS_OK && !w) {
        printf("\n  as asked for:\n\n");
        status = cli_outcome_print(input, frame, first, 0, 0, err);
    }
    tcs_result_destroy(first);
    return status;
}
