/* apps/outcome.h -- what a detection is told as: words, a JSON document, files; shared by `detect` and `score`. */
#ifndef TOCSIN_APPS_OUTCOME_H
#define TOCSIN_APPS_OUTCOME_H

#include "cli.h"

#include "base/json.h"
#include "base/status.h"

/* ---- files to write ---- */

typedef struct cli_outputs {
    const char *scores, *episodes, *forecast, *report, *plot; /* NULL: not asked for */
} cli_outputs;

/* Rows of a command's option table; base is the offset of its cli_outputs. */
#define CLI_OUTPUT_OPTIONS(base) \
    { "--scores", "FILE", CLI_TEXT, (base) + offsetof(cli_outputs, scores), \
      "write row,time,score,p_value,state,anomaly,probability for every row (CSV, or .ndjson); of ensembles and deep " \
      "detectors with uncertainty,noise,sure" }, \
    { "--episodes", "FILE", CLI_TEXT, (base) + offsetof(cli_outputs, episodes), "write the episodes (CSV, or .ndjson)" }, \
    { "--forecast", "FILE", CLI_TEXT, (base) + offsetof(cli_outputs, forecast), \
      "write what comes next, 1, 4, 16 and 64 rows ahead, with bands (forecasters)" }, \
    { "--report", "FILE.html", CLI_TEXT, (base) + offsetof(cli_outputs, report), "write a self-contained report with plots" }, \
    { "--plot", "FILE.png", CLI_TEXT, (base) + offsetof(cli_outputs, plot), "write a picture of the series, the score and the episodes" }

bool cli_outputs_any(const cli_outputs *o);
/* A table on standard output leaves no room there for words or a document. */
bool cli_outputs_use_stdout(const cli_outputs *o);
/* Two tables there, or a table and a document: E_INVALID. */
tcs_status cli_outputs_check_stdout(const cli_outputs *o, bool json, tcs_error *err) TCS_WARN_UNUSED;

/* Another file that the command writes. */
typedef struct cli_output {
    const char *option, *path;
} cli_output;
/* Writing over an input, or one output over another, would lose what nobody meant to lose: E_INVALID. */
tcs_status cli_outputs_check(const cli_outputs *o, const cli_output *others, size_t other_count, const char *const *inputs,
                             size_t input_count, tcs_error *err) TCS_WARN_UNUSED;

/* ---- a result ---- */

/* Episodes that get a sentence: with thousands of them, the most severe. */
enum { CLI_EXPLAINED_MAX = 100 };

/* The input's name, its password taken out, is shown. */
tcs_status cli_outcome_write(const tcs_result *result, const cli_outputs *o, const char *input, tcs_error *err) TCS_WARN_UNUSED;
/* top 0: ten episodes.  whole: so many of them with everything that is known, counterfactuals among it; the others with a sentence. */
tcs_status cli_outcome_print(const char *input, const tcs_frame *frame, const tcs_result *result, size_t top, size_t whole,
                             tcs_error *err) TCS_WARN_UNUSED;
tcs_status cli_outcome_json(tcsi_json_writer *w, const char *input, const tcs_frame *frame, const tcs_result *result, size_t whole,
                            tcs_error *err) TCS_WARN_UNUSED;
/* The object `tail`: what it was taken to be, and how sure that is. */
void cli_tail_json(tcsi_json_writer *w, const tcs_result *result);
/* An episode in one line, a bar for its severity, and its place. */
void cli_episode_print(const tcs_frame *frame, const tcs_episode *episode, size_t rank);
void cli_place_format(const tcs_frame *frame, size_t row, char *ret_text, size_t size); /* its time, or "row 12" */
/* The frame's name, size and notes. */
void cli_frame_print(const char *input, const tcs_frame *frame);

#endif
