/* apps/teams.h -- `--budget-for`, `--teams`: an alarm budget that several inputs share.
 *
 * Inputs are put into teams: all into one, those of a folder into one, or as a file says, whose lines are
 *
 *     # PATTERN, TEAM, BUDGET     BUDGET may be left out: then --alarm-budget is the team's
 *     north-?.csv, north, 2/week
 *     *pump*, pumps
 *
 * where the first line whose pattern (of the shell; * also matches /) fits an input counts, and one that none fits is an error: nobody
 * would know whose alarms it raises.  Each of a team's N inputs gets an N-th of its budget. */
#ifndef TOCSIN_APPS_TEAMS_H
#define TOCSIN_APPS_TEAMS_H

#include "asked.h"

#include "base/json.h"

typedef struct cli_teams cli_teams;

typedef struct cli_teams_asked {
    const char *budget_for, *file; /* as given; NULL: not asked for */
} cli_teams_asked;

/* Rows of a command's option table; base is the offset of its cli_teams_asked. */
#define CLI_TEAMS_OPTIONS(base) \
    { "--budget-for", "series|folder|all", CLI_TEXT, (base) + offsetof(cli_teams_asked, budget_for), \
      "who shares --alarm-budget: each input has it for itself (default), the inputs of a folder share it, or all of them do" }, \
    { "--teams", "FILE", CLI_TEXT, (base) + offsetof(cli_teams_asked, file), \
      "who shares a budget: lines of PATTERN, TEAM[, BUDGET]; the first whose pattern matches an input counts" }

/* *ret_teams NULL: not asked for.  E_INVALID, and as reading the file. */
tcs_status cli_teams_begin(const cli_teams_asked *asked, const cli_detecting *detecting, const char *const *inputs, size_t input_count,
                           cli_teams **ret_teams, tcs_error *err) TCS_WARN_UNUSED;
void cli_teams_destroy(cli_teams *teams); /* accepts NULL */
/* The options of one input: its team, and the team's budget. */
void cli_teams_ask(const cli_teams *teams, size_t input, tcs_detect_options *options);
void cli_teams_add(cli_teams *teams, size_t input, const tcs_result *result);
/* What was promised to each team, and what came: words unless there is a writer, then a key of its object. */
void cli_teams_tell(const cli_teams *teams, tcsi_json_writer *json);

#endif
