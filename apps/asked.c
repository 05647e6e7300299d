/* apps/asked.c -- from flags to the library's options.  SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"

#include "known.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 1000000000

tcs_read_options cli_read_options(const cli_reading *asked)
{
    return (tcs_read_options){ .time = asked->time, .label = asked->label, .columns = asked->columns, .query = asked->query,
                               .as_series = asked->series, .skip_ragged = asked->skip_ragged, .start = asked->start, .end = asked->end,
                               .step = asked->step };
}

/* (series_count, *ret_fact_count), row by row. */
static tcs_status read_facts(const char *path, size_t series_count, double **ret_facts, size_t *ret_fact_count, tcs_error *err)
{
    const tcs_read_options plain = { .time = "", .label = "", .keep_counters = true };
    tcs_frame *table = NULL;
    tcs_status status = tcs_frame_read(path, &plain, &table, err);
    if (status != TCS_OK) return status;
    const size_t row_count = tcs_frame_row_count(table), count = tcs_frame_channel_count(table);
    if (row_count != series_count) {
        status = tcsi_fail(err, TCS_E_INVALID, "--facts %s: %zu rows for %zu inputs; expected one for each, in their order", path,
                           row_count, series_count);
    } else {
        *ret_facts = TCSI_NEW_ARRAY(double, row_count * count);
        if (!*ret_facts) status = tcsi_fail_memory(err, "facts");
    }
    for (size_t f = 0; status == TCS_OK && f < count; f++)
        for (size_t s = 0; s < row_count; s++) (*ret_facts)[s * count + f] = tcs_frame_values(table, f)[s];
    *ret_fact_count = count;
    tcs_frame_destroy(table);
    return status;
}

static tcs_status parse_share(const char *text, double *ret_share, tcs_error *err)
{
    char *end;
    const double share = strtod(text, &end);
    if (end == text || *end || !(share > 0 && share < 1))
        return tcsi_fail(err, TCS_E_INVALID, "--anomaly-share %s: expected a number above 0 and below 1", text);
    *ret_share = share;
    return TCS_OK;
}

/* The name may hold colons itself: the last one counts. */
static tcs_status parse_team(const char *text, char ret_name[CLI_TEAM_SIZE], size_t *ret_series_count, tcs_error *err)
{
    char *end = NULL;
    const char *colon = strrchr(text, ':');
    const unsigned long long count = colon && colon[1] >= '0' && colon[1] <= '9' ? strtoull(colon + 1, &end, 10) : 0;
    const size_t length = colon ? (size_t)(colon - text) : 0;
    if (count == 0 || count > SERIES_MAX || *end || length == 0 || length >= CLI_TEAM_SIZE)
        return tcsi_fail(err, TCS_E_INVALID, "--team %s: expected NAME:COUNT, such as pumps:12, with a name of at most %d bytes", text,
                         CLI_TEAM_SIZE - 1);
    memcpy(ret_name, text, length);
    ret_name[length] = 0;
    *ret_series_count = (size_t)count;
    return TCS_OK;
}

void cli_given_deinit(cli_given *given)
{
    tcs_pipeline_destroy(given->fleet);
    tcs_knowledge_destroy(given->knowledge);
    tcsi_free(given->facts);
    *given = (cli_given){ .fleet = NULL };
}

tcs_status cli_detect_options(const cli_detecting *asked, tcs_mode mode_default, size_t series_count, cli_given *given,
                              tcs_detect_options *ret_options, tcs_error *err)
{
    size_t fact_count = 0, team_series_count = 0;
    double anomaly_share = 0;
    tcs_status status = TCS_OK;
    *given = (cli_given){ .parameters = asked->parameters };
    if (asked->budget) {
        if (asked->parameters.count == CLI_TEXTS_MAX) return tcsi_fail(err, TCS_E_INVALID, "--budget: too many --param beside it");
        snprintf(given->budget, sizeof given->budget, "budget=%s", asked->budget);
        given->parameters.items[given->parameters.count++] = given->budget;
    }
    if (asked->anomaly_share) status = parse_share(asked->anomaly_share, &anomaly_share, err);
    if (status == TCS_OK && asked->team) status = parse_team(asked->team, given->team, &team_series_count, err);
    if (status == TCS_OK && asked->from) status = tcs_pipeline_read(asked->from, &given->fleet, err);
    if (status == TCS_OK && asked->knowledge)
        status = tcs_knowledge_read(asked->knowledge, cli_known_problem, NULL, &given->knowledge, err);
    if (status == TCS_OK && asked->facts) status = read_facts(asked->facts, series_count, &given->facts, &fact_count, err);
    if (status != TCS_OK) return status;
    tcs_mode mode = !asked->mode ? mode_default : strcmp(asked->mode, "online") == 0 ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE;
    if (given->fleet && !asked->mode) mode = tcs_pipeline_describe(given->fleet).mode;
    *ret_options = (tcs_detect_options){
        .mode = mode, .detector = asked->detector, .train_row_count = asked->train_rows, .alarm_budget = asked->alarm_budget,
        .policy = asked->policy,
        .parameters = given->parameters.items, .parameter_count = given->parameters.count, .checkpoint = asked->checkpoint,
        .seed = asked->seed, .thread_count = asked->threads, .fleet = given->fleet, .facts = given->facts, .fact_count = fact_count,
        .knowledge = given->knowledge,
        .anomaly_share = anomaly_share, .team = asked->team ? given->team : NULL, .team_series_count = team_series_count,
    };
    return TCS_OK;
}
