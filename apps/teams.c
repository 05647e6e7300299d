/* apps/teams.c -- inputs into teams, and what each team was promised.  SPDX-License-Identifier: Apache-2.0 */
#include "teams.h"

#include "base/alloc.h"
#include "base/file.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_MAX = 1 << 24, FIELDS = 3 };

typedef struct team {
    char name[CLI_TEAM_SIZE];
    const char *budget;
    size_t series_count, raised, limits;
    double promised; /* false alarms, in the rows that were looked at */
} team;

struct cli_teams {
    char *text;      /* of the file, cut into fields */
    team *teams;     /* (team_count); at most as many as inputs */
    size_t team_count;
    size_t *of;      /* (input_count): the team of each */
};

void cli_teams_destroy(cli_teams *teams)
{
    if (!teams) return;
    tcsi_free(teams->text);
    tcsi_free(teams->teams);
    tcsi_free(teams->of);
    tcsi_free(teams);
}

/* ---- which input is whose ---- */

static tcs_status join(cli_teams *t, size_t input, const char *name, size_t length, const char *budget, tcs_error *err)
{
    size_t k = 0;
    if (length == 0 || length >= CLI_TEAM_SIZE)
        return tcsi_fail(err, TCS_E_INVALID, "team '%.*s': expected a name of 1 to %d bytes", (int)length, name, CLI_TEAM_SIZE - 1);
    while (k < t->team_count && (strlen(t->teams[k].name) != length || memcmp(t->teams[k].name, name, length) != 0)) k++;
    if (k < t->team_count && strcmp(t->teams[k].budget, budget) != 0)
        return tcsi_fail(err, TCS_E_INVALID, "team '%s' has two budgets, %s and %s: expected one", t->teams[k].name, t->teams[k].budget,
                         budget);
    if (k == t->team_count) {
        t->teams[t->team_count++] = (team){ .budget = budget };
        memcpy(t->teams[k].name, name, length);
    }
    t->teams[k].series_count++;
    t->of[input] = k;
    return TCS_OK;
}

/* The folder's name is the team's. */
static tcs_status join_folder(cli_teams *t, size_t input, const char *path, const char *budget, tcs_error *err)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (!slash) return join(t, input, ".", 1, budget, err);
    if (length == 0) return join(t, input, "/", 1, budget, err);
    if (length >= CLI_TEAM_SIZE)
        return tcsi_fail(err, TCS_E_INVALID, "--budget-for folder: the folder of %s has a name of more than %d bytes; --teams FILE gives "
                         "it another", path, CLI_TEAM_SIZE - 1);
    return join(t, input, path, length, budget, err);
}

/* A line cut at its commas, without blanks around its fields; fields that are not there are empty.  False: there is nothing in it. */
static bool cut_line(char *line, char *ret_fields[FIELDS])
{
    char *at = line;
    static char none[] = "";
    for (size_t i = 0; i < FIELDS; i++) {
        char *end = at ? strchr(at, ',') : NULL, *next = end && i + 1 < FIELDS ? end + 1 : NULL;
        ret_fields[i] = at ? at : none;
        if (next) *end = 0;
        while (isspace((unsigned char)*ret_fields[i])) ret_fields[i]++;
        for (size_t n = strlen(ret_fields[i]); n > 0 && isspace((unsigned char)ret_fields[i][n - 1]); n--) ret_fields[i][n - 1] = 0;
        at = next;
    }
    return *ret_fields[0] && *ret_fields[0] != '#';
}

typedef struct rule {
    char *fields[FIELDS]; /* pattern, team, budget */
} rule;

static tcs_status read_rules(const char *path, cli_teams *t, rule **ret_rules, size_t *ret_count, tcs_error *err)
{
    tcsi_buffer bytes;
    size_t lines = 1, count = 0, number = 0;
    tcsi_buffer_init(&bytes, FILE_SIZE_MAX);
    tcs_status status = tcsi_file_read(path, &bytes, err);
    if (status == TCS_OK) {
        t->text = TCSI_NEW_ZEROS(char, bytes.size + 1);
        if (!t->text) status = tcsi_fail_memory(err, "teams");
        else if (bytes.size > 0) memcpy(t->text, bytes.data, bytes.size);
    }
    tcsi_buffer_deinit(&bytes);
    if (status != TCS_OK) return status;
    for (const char *c = t->text; *c; c++) lines += *c == '\n';
    rule *rules = TCSI_NEW_ZEROS(rule, lines);
    if (!rules) return tcsi_fail_memory(err, "teams");
    for (char *line = t->text, *next; line && status == TCS_OK; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        number++;
        if (!cut_line(line, rules[count].fields)) continue;
        if (!*rules[count].fields[1])
            status = tcsi_fail(err, TCS_E_INVALID, "--teams %s, line %zu: expected PATTERN, TEAM[, BUDGET]", path, number);
        count++;
    }
    if (status != TCS_OK) {
        tcsi_free(rules);
        return status;
    }
    *ret_rules = rules;
    *ret_count = count;
    return TCS_OK;
}

static tcs_status join_by_file(cli_teams *t, const char *path, const char *budget, const char *const *inputs, size_t input_count,
                               tcs_error *err)
{
    rule *rules = NULL;
    size_t count = 0;
    tcs_status status = read_rules(path, t, &rules, &count, err);
    for (size_t i = 0; i < input_count && status == TCS_OK; i++) {
        size_t k = 0;
        while (k < count && fnmatch(rules[k].fields[0], inputs[i], 0) != 0) k++;
        const char *own = k < count && *rules[k].fields[2] ? rules[k].fields[2] : budget;
        if (k == count)
            status = tcsi_fail(err, TCS_E_INVALID, "--teams %s: no pattern matches %s; a last line '*, TEAM' matches all", path, inputs[i]);
        else if (!own)
            status = tcsi_fail(err, TCS_E_INVALID, "--teams %s: team '%s' has no budget, and there is no --alarm-budget", path,
                               rules[k].fields[1]);
        else status = join(t, i, rules[k].fields[1], strlen(rules[k].fields[1]), own, err);
    }
    tcsi_free(rules);
    return status;
}

static tcs_status check_asked(const cli_teams_asked *asked, const cli_detecting *detecting, tcs_error *err)
{
    const char *whom = asked->budget_for;
    if (whom && asked->file) return tcsi_fail(err, TCS_E_INVALID, "--budget-for and --teams both say who shares a budget: expected one");
    if (detecting->team)
        return tcsi_fail(err, TCS_E_INVALID, "--team is for one series that stands alone: not with --budget-for or --teams");
    if (whom && !detecting->alarm_budget)
        return tcsi_fail(err, TCS_E_INVALID, "--budget-for %s: expected --alarm-budget, which they share", whom);
    return TCS_OK;
}

tcs_status cli_teams_begin(const cli_teams_asked *asked, const cli_detecting *detecting, const char *const *inputs, size_t input_count,
                           cli_teams **ret_teams, tcs_error *err)
{
    const char *whom = asked->budget_for, *budget = detecting->alarm_budget;
    *ret_teams = NULL;
    if (!asked->file && (!whom || strcmp(whom, "series") == 0)) return TCS_OK;
    tcs_status status = check_asked(asked, detecting, err);
    if (status != TCS_OK) return status;
    cli_teams *t = TCSI_NEW(cli_teams);
    if (t) {
        t->teams = TCSI_NEW_ZEROS(team, input_count);
        t->of = TCSI_NEW_ZEROS(size_t, input_count);
    }
    if (!t || !t->teams || !t->of) status = tcsi_fail_memory(err, "teams");
    else if (asked->file) status = join_by_file(t, asked->file, budget, inputs, input_count, err);
    for (size_t i = 0; i < input_count && status == TCS_OK && !asked->file; i++)
        status = strcmp(whom, "all") == 0 ? join(t, i, "all", 3, budget, err) : join_folder(t, i, inputs[i], budget, err);
    if (status == TCS_OK) *ret_teams = t;
    else cli_teams_destroy(t);
    return status;
}

/* ---- what each was promised ---- */

void cli_teams_ask(const cli_teams *teams, size_t input, tcs_detect_options *options)
{
    const team *mine = &teams->teams[teams->of[input]];
    options->alarm_budget = mine->budget;
    options->team = mine->name;
    options->team_series_count = mine->series_count;
}

void cli_teams_add(cli_teams *teams, size_t input, const tcs_result *result)
{
    team *mine = &teams->teams[teams->of[input]];
    mine->promised += tcs_result_budget(result);
    for (size_t i = 0; i < tcs_result_episode_count(result); i++) {
        const bool is_limit = tcs_result_episode(result, i).limit != NULL; /* alarms whatever the budget */
        mine->limits += is_limit;
        mine->raised += !is_limit;
    }
}

static void write(const cli_teams *teams, tcsi_json_writer *w)
{
    tcsi_json_key(w, "teams");
    tcsi_json_begin_array(w);
    for (size_t k = 0; k < teams->team_count; k++) {
        const team *t = &teams->teams[k];
        tcsi_json_begin_object(w);
        tcsi_json_put_string(w, "team", t->name);
        tcsi_json_put_integer(w, "series", (int64_t)t->series_count);
        tcsi_json_put_string(w, "alarm_budget", t->budget);
        tcsi_json_put_number(w, "promised", t->promised);
        tcsi_json_put_integer(w, "raised", (int64_t)t->raised);
        tcsi_json_put_integer(w, "by_limits", (int64_t)t->limits);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
}

void cli_teams_tell(const cli_teams *teams, tcsi_json_writer *json)
{
    if (json) {
        write(teams, json);
        return;
    }
    printf("\n  each team's budget is shared equally by its series; promised: false alarms in these rows, on average\n\n"
           "    %-24s %7s  %-12s %9s %7s %10s\n", "team", "series", "budget", "promised", "raised", "by limits");
    for (size_t k = 0; k < teams->team_count; k++) {
        const team *t = &teams->teams[k];
        printf("    %-24s %7zu  %-12s %9.3g %7zu %10zu\n", t->name, t->series_count, t->budget, t->promised, t->raised, t->limits);
    }
}
