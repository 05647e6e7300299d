/* apps/asked.h -- what several commands are asked alike: how an input is read, which detector runs and how it is trained. */
#ifndef TOCSIN_APPS_ASKED_H
#define TOCSIN_APPS_ASKED_H

#include "cli.h"

#include "base/status.h"

/* ---- how an input is read ---- */

typedef struct cli_reading {
    const char *columns, *time, *label, *query, *start, *end, *step;
    bool series, skip_ragged;
} cli_reading;

/* Rows of a command's option table; base is the offset of its cli_reading. */
#define CLI_COLUMN_OPTIONS(base) \
    { "--columns", "A,B,...", CLI_TEXT, (base) + offsetof(cli_reading, columns), "value columns; default every numeric one" }, \
    { "--series", NULL, CLI_FLAG, (base) + offsetof(cli_reading, series), \
      "rows without a time column are in order of time, not a table" }
#define CLI_READING_OPTIONS(base, label_help) \
    { "--time", "COLUMN", CLI_TEXT, (base) + offsetof(cli_reading, time), "time column; found when not given; '' for none" }, \
    { "--label", "COLUMN", CLI_TEXT, (base) + offsetof(cli_reading, label), label_help }, \
    { "--skip-ragged", NULL, CLI_FLAG, (base) + offsetof(cli_reading, skip_ragged), \
      "pass over rows with another number of columns and count them" }, \
    { "--query", "TEXT", CLI_TEXT, (base) + offsetof(cli_reading, query), \
      "for sqlite:, postgresql: and http: inputs: the SQL or PromQL query" }, \
    { "--start", "TIME", CLI_TEXT, (base) + offsetof(cli_reading, start), \
      "for http: inputs: first time, such as 2024-05-01T00:00:00Z or now-6h; default 24 h before the end" }, \
    { "--end", "TIME", CLI_TEXT, (base) + offsetof(cli_reading, end), "for http: inputs: last time; default now" }, \
    { "--step", "DURATION", CLI_TEXT, (base) + offsetof(cli_reading, step), \
      "for http: inputs: time between points, such as 30s; chosen when not given" }

tcs_read_options cli_read_options(const cli_reading *asked);

/* ---- which detector runs, and how it is trained ---- */

typedef struct cli_detecting {
    const char *mode, *detector, *alarm_budget, *team, *policy, *budget, *checkpoint, *from, *facts, *anomaly_share, *knowledge;
    cli_texts parameters;
    size_t train_rows, seed, threads;
} cli_detecting;

#define CLI_DETECTING_OPTIONS(base, detector_help, train_help) \
    { "--detector", "NAME", CLI_TEXT, (base) + offsetof(cli_detecting, detector), detector_help }, \
    { "--param", "NAME=VALUE", CLI_TEXTS, (base) + offsetof(cli_detecting, parameters), \
      "a parameter of the detector; may be given several times" }, \
    { "--budget", "SECONDS", CLI_TEXT, (base) + offsetof(cli_detecting, budget), \
      "how long a deep detector may train, about: --param budget=SECONDS" }, \
    { "--checkpoint", "FILE", CLI_TEXT, (base) + offsetof(cli_detecting, checkpoint), \
      "keep a deep detector's training in FILE; run again after an interruption, it goes on from there to the same result" }, \
    { "--from", "FILE.tocsin", CLI_TEXT, (base) + offsetof(cli_detecting, from), \
      "begin with what `tocsin fit` learned from a fleet, many series of one kind: a few hundred training rows are then enough" }, \
    { "--facts", "FILE", CLI_TEXT, (base) + offsetof(cli_detecting, facts), \
      "a table of numbers that describe each series of a fleet, a row for each input in their order" }, \
    { "--knowledge", "FILE.yaml", CLI_TEXT, (base) + offsetof(cli_detecting, knowledge), \
      "what you know of the data: ranges, limits that always alarm, constraints, known failures and events, rules " \
      "(docs/reference/knowledge.md)" }, \
    { "--train-rows", "N", CLI_COUNT, (base) + offsetof(cli_detecting, train_rows), train_help }, \
    { "--alarm-budget", "N[/hour|/day|/week]", CLI_TEXT, (base) + offsetof(cli_detecting, alarm_budget), \
      "false alarms you can live with; default 1 in everything looked at (in a table 1 in 100 rows); " \
      "online, where nobody knows how many rows will come, a bare N is per 10,000 rows and 5 the default" }, \
    { "--team", "NAME:COUNT", CLI_TEXT, (base) + offsetof(cli_detecting, team), \
      "the budget is for all COUNT series of team NAME together, this one among them: it gets an equal part" }, \
    { "--policy", "POLICY", CLI_TEXT, (base) + offsetof(cli_detecting, policy), \
      "budget (default): --alarm-budget false alarms; evidence: as many, half of them for slow changes no row of which is rare enough " \
      "alone (online); cost=50:1: as many alarms as are worth it when a miss costs as much as 50 false ones" }, \
    { "--anomaly-share", "X", CLI_TEXT, (base) + offsetof(cli_detecting, anomaly_share), \
      "share of anomalous rows that probabilities assume where no labels tell; default 0.01" }, \
    { "--seed", "N", CLI_COUNT, (base) + offsetof(cli_detecting, seed), "for detectors that draw random numbers; default 0" }, \
    { "--threads", "N", CLI_COUNT, (base) + offsetof(cli_detecting, threads), "default one per processor; never changes a result" }

enum { CLI_BUDGET_SIZE = 64, CLI_TEAM_SIZE = 64 };
/* The options as the library wants them, without progress.  `given` keeps what they point to, a fleet and facts among it, and is
 * released by cli_given_deinit, always.  series_count: rows of --facts.  E_INVALID: --budget beside too many --param; and as reading
 * the files. */
typedef struct cli_given {
    cli_texts parameters;
    char budget[CLI_BUDGET_SIZE], team[CLI_TEAM_SIZE];
    tcs_pipeline *fleet;
    tcs_knowledge *knowledge;
    double *facts; /* (series_count, fact_count of the options) */
} cli_given;
void cli_given_deinit(cli_given *given);
tcs_status cli_detect_options(const cli_detecting *asked, tcs_mode mode_default, size_t series_count, cli_given *given,
                              tcs_detect_options *ret_options, tcs_error *err) TCS_WARN_UNUSED;

#endif
