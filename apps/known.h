/* apps/known.h -- what knowledge makes of a result, as words and as JSON; shared by `detect`, `score` and `knowledge`. */
#ifndef TOCSIN_APPS_KNOWN_H
#define TOCSIN_APPS_KNOWN_H

#include "cli.h"

#include "base/json.h"

/* A tcs_problem_hook: a line on standard error. */
void cli_known_problem(void *context, const char *line);

/* " limit: pressure above 8 bar", "  like: cavitation", "  probability 0.97", whatever there is to say of an episode. */
void cli_known_format(const tcs_episode *episode, char *ret_text, size_t size);
/* Added channels and impossible readings, as lines before the episodes; expected ones, rules and limits ahead after them. */
void cli_known_print_before(const tcs_result *result);
void cli_known_print_after(const tcs_result *result);
void cli_known_print_rule(FILE *stream, const tcs_rule *rule);

/* Members of an episode's object, and of the document's; nothing without knowledge. */
void cli_known_json_episode(tcsi_json_writer *w, const tcs_episode *episode);
void cli_known_json(tcsi_json_writer *w, const tcs_result *result);
void cli_known_json_rule(tcsi_json_writer *w, const tcs_rule *rule);

#endif
