/* SPDX-License-Identifier: Apache-2.0 */
#include "known.h"

#include "base/status.h"

#include <math.h>
#include <string.h>

#define CROSSING_SHOWN_MIN 0.05 /* less likely limits are not told in words */

void cli_known_problem(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "%s\n", line);
}

/* ---- words ---- */

void cli_known_format(const tcs_episode *episode, char *ret_text, size_t size)
{
    char probability[32] = "";
    if (!isnan(episode->probability)) snprintf(probability, sizeof probability, "  probability %.2g", episode->probability);
    snprintf(ret_text, size, "%s%s%s%s%s", episode->limit ? "  limit: " : "", episode->limit ? episode->limit : "",
             episode->signature ? "  like: " : "", episode->signature ? episode->signature : "", probability);
}

static void format_place(const tcs_result *result, size_t row, int64_t time_ns, char *ret_text, size_t size)
{
    if (tcs_frame_has_real_times(tcs_result_frame(result))) tcs_time_format(time_ns, ret_text, size);
    else snprintf(ret_text, size, "row %zu", row);
}

void cli_known_print_before(const tcs_result *result)
{
    const tcs_frame *frame = tcs_result_frame(result);
    for (size_t c = 0; c < tcs_frame_channel_count(frame); c++) {
        const unsigned long long count = tcs_result_fault_count(result, c);
        if (count > 0)
            printf("  %llu reading%s of %s outside the physical range: taken as missing\n", count, count == 1 ? "" : "s",
                   tcs_frame_channel_name(frame, c));
    }
}

void cli_known_print_rule(FILE *stream, const tcs_rule *rule)
{
    fprintf(stream, "  rule %s (%s): spoke on %llu row%s", rule->name, rule->says_anomaly ? "anomaly" : "normal",
            (unsigned long long)rule->row_count, rule->row_count == 1 ? "" : "s");
    if (rule->row_count > 0) fprintf(stream, ", estimated to be right on %.0f %%", 100 * rule->accuracy);
    fprintf(stream, "\n");
}

/* The first horizon that is likely, else the likeliest. */
static size_t choose_horizon(const tcs_crossing *crossing)
{
    size_t at = 0;
    if (crossing->likely < crossing->horizon_count) return crossing->likely;
    for (size_t h = 1; h < crossing->horizon_count; h++)
        if (crossing->horizons[h].probability > crossing->horizons[at].probability) at = h;
    return at;
}

/* "level above 4.5 m: within 16 rows, by 14:32, with probability 0.83 or more": what is stated is of the last of these rows alone. */
static void print_crossing(const tcs_crossing *crossing)
{
    char when[80] = "", time[64];
    const size_t at = crossing->is_passed ? crossing->horizon_count - 1 : choose_horizon(crossing);
    const size_t ahead = crossing->horizons[at].rows_ahead;
    const char *s = ahead == 1 ? "" : "s";
    if (crossing->horizons[at].time_ns) {
        tcs_time_format(crossing->horizons[at].time_ns, time, sizeof time);
        snprintf(when, sizeof when, " %s %s,", crossing->is_passed ? "at" : "by", time);
    }
    printf(crossing->is_passed ? "    %s: is passed; %zu row%s on,%s still or again with probability %.2f\n"
                               : "    %s: within %zu row%s,%s with probability %.2f or more\n",
           crossing->limit, ahead, s, when, crossing->horizons[at].probability);
}

/* Limits that may well be passed, in the file's order. */
static void print_crossings(const tcs_result *result)
{
    const size_t count = tcs_result_crossing_count(result);
    size_t shown = 0, unlikely = 0;
    for (size_t i = 0; i < count; i++) unlikely += tcs_result_crossing(result, i).probability < CROSSING_SHOWN_MIN;
    if (count > 0)
        printf("\n  limits ahead, by the forecast%s\n",
               unlikely == count ? ": none has a chance of 5 % in the rows that are foretold" : "");
    for (size_t i = 0; i < count && shown < 10; i++) {
        const tcs_crossing crossing = tcs_result_crossing(result, i);
        if (crossing.probability < CROSSING_SHOWN_MIN) continue;
        print_crossing(&crossing);
        shown++;
    }
    if (count > unlikely + shown) printf("    ... and %zu more; --json has all\n", count - unlikely - shown);
}

void cli_known_print_after(const tcs_result *result)
{
    const size_t count = tcs_result_expected_count(result);
    if (count > 0) printf("\n  %zu expected, no alarm%s\n", count, count == 1 ? "" : "s");
    for (size_t i = 0; i < count && i < 10; i++) {
        const tcs_episode episode = tcs_result_expected(result, i);
        char begin[64], end[64];
        format_place(result, episode.row_begin, episode.time_begin_ns, begin, sizeof begin);
        format_place(result, episode.row_end - 1, episode.time_end_ns, end, sizeof end);
        printf("    %s  %s to %s, %zu row%s\n", episode.event, begin, end, episode.row_end - episode.row_begin,
               episode.row_end - episode.row_begin == 1 ? "" : "s");
    }
    if (count > 10) printf("    ... and %zu more; --json has all\n", count - 10);
    if (tcs_result_rule_count(result) > 0) printf("\n");
    for (size_t i = 0; i < tcs_result_rule_count(result); i++) {
        const tcs_rule rule = tcs_result_rule(result, i);
        cli_known_print_rule(stdout, &rule);
    }
    print_crossings(result);
}

/* ---- JSON ---- */

void cli_known_json_episode(tcsi_json_writer *w, const tcs_episode *episode)
{
    if (episode->limit) tcsi_json_put_string(w, "limit", episode->limit);
    if (episode->event) tcsi_json_put_string(w, "event", episode->event);
    if (episode->signature) tcsi_json_put_string(w, "signature", episode->signature);
    if (!isnan(episode->probability)) tcsi_json_put_number(w, "probability", episode->probability);
}

void cli_known_json_rule(tcsi_json_writer *w, const tcs_rule *rule)
{
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "name", rule->name);
    tcsi_json_put_string(w, "says", rule->says_anomaly ? "anomaly" : "normal");
    tcsi_json_put_number(w, "rows", (double)rule->row_count);
    tcsi_json_put_number(w, "accuracy", rule->row_count > 0 ? rule->accuracy : NAN);
    tcsi_json_end_object(w);
}

static void put_expected(tcsi_json_writer *w, const tcs_result *result, const tcs_episode *episode)
{
    char text[64];
    const struct { const char *row, *time; size_t at; int64_t time_ns; } places[] = {
        { "row_onset", "time_onset", episode->row_begin, episode->time_begin_ns },
        { "row_end", "time_end", episode->row_end, episode->time_end_ns },
    };
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "event", episode->event);
    for (size_t i = 0; i < TCS_COUNT(places); i++) {
        tcsi_json_put_number(w, places[i].row, (double)places[i].at);
        if (!tcs_frame_has_real_times(tcs_result_frame(result))) continue;
        tcs_time_format(places[i].time_ns, text, sizeof text);
        tcsi_json_put_string(w, places[i].time, text);
    }
    tcsi_json_put_number(w, "score", episode->score);
    tcsi_json_put_number(w, "p_value", episode->p_value);
    tcsi_json_end_object(w);
}

static void put_crossing(tcsi_json_writer *w, const tcs_result *result, const tcs_crossing *crossing)
{
    char text[64];
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "limit", crossing->limit);
    tcsi_json_put_string(w, "channel", tcs_frame_channel_name(tcs_result_frame(result), crossing->channel));
    tcsi_json_key(w, "passed");
    tcsi_json_bool(w, crossing->is_passed);
    tcsi_json_put_number(w, "probability_at_least", crossing->probability);
    tcsi_json_put_number(w, "rows_likely",
               crossing->likely < crossing->horizon_count ? (double)crossing->horizons[crossing->likely].rows_ahead : NAN);
    tcsi_json_key(w, "horizons");
    tcsi_json_begin_array(w);
    for (size_t h = 0; h < crossing->horizon_count; h++) {
        tcsi_json_begin_object(w);
        tcsi_json_put_number(w, "rows_ahead", (double)crossing->horizons[h].rows_ahead);
        if (crossing->horizons[h].time_ns) {
            tcs_time_format(crossing->horizons[h].time_ns, text, sizeof text);
            tcsi_json_put_string(w, "time", text);
        }
        tcsi_json_put_number(w, "probability", crossing->horizons[h].probability);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
    tcsi_json_end_object(w);
}

static void put_crossings(tcsi_json_writer *w, const tcs_result *result)
{
    tcsi_json_key(w, "limits_ahead");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < tcs_result_crossing_count(result); i++) {
        const tcs_crossing crossing = tcs_result_crossing(result, i);
        put_crossing(w, result, &crossing);
    }
    tcsi_json_end_array(w);
}

void cli_known_json(tcsi_json_writer *w, const tcs_result *result)
{
    const tcs_frame *frame = tcs_result_frame(result);
    if (!tcs_result_has_knowledge(result)) return;
    tcsi_json_key(w, "expected");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < tcs_result_expected_count(result); i++) {
        const tcs_episode episode = tcs_result_expected(result, i);
        put_expected(w, result, &episode);
    }
    tcsi_json_end_array(w);
    tcsi_json_key(w, "impossible_readings");
    tcsi_json_begin_object(w);
    for (size_t c = 0; c < tcs_frame_channel_count(frame); c++)
        if (tcs_result_fault_count(result, c) > 0) tcsi_json_put_number(w, tcs_frame_channel_name(frame, c),
                                                              (double)tcs_result_fault_count(result, c));
    tcsi_json_end_object(w);
    tcsi_json_key(w, "rules");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < tcs_result_rule_count(result); i++) {
        const tcs_rule rule = tcs_result_rule(result, i);
        cli_known_json_rule(w, &rule);
    }
    tcsi_json_end_array(w);
    put_crossings(w, result);
}
