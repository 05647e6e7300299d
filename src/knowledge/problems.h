/* knowledge/problems.h -- everything that is wrong with a file, by line.
 * Whoever writes a knowledge file wants to hear of all its errors at once: they are collected here, in order of lines, up to
 * TCSI_PROBLEM_COUNT_MAX.  Each is told as `FILE:LINE: what, where, and what was expected`. */
#ifndef TCS_KNOWLEDGE_PROBLEMS_H
#define TCS_KNOWLEDGE_PROBLEMS_H

#include "base/status.h"

enum { TCSI_PROBLEM_COUNT_MAX = 20, TCSI_PROBLEM_SIZE = 320, TCSI_PROBLEM_FILE_SIZE = 256 };

typedef struct tcsi_problem {
    size_t line; /* from 1 */
    char text[TCSI_PROBLEM_SIZE];
} tcsi_problem;

typedef struct tcsi_problems {
    char file[TCSI_PROBLEM_FILE_SIZE];
    size_t count, left_off; /* left_off: beyond the maximum */
    tcsi_problem items[TCSI_PROBLEM_COUNT_MAX];
} tcsi_problems;

void tcsi_problems_init(tcsi_problems *problems, const char *file);
void tcsi_problems_add(tcsi_problems *problems, size_t line, const char *format, ...) TCS_PRINTF(3, 4);
/* "; did you mean 'flow_in'?", or "" when nothing is near. */
enum { TCSI_SUGGESTION_SIZE = 96 };
void tcsi_problems_suggest(const char *word, const char *const *names, size_t count, char ret_text[TCSI_SUGGESTION_SIZE]);
/* "FILE:LINE: text" */
void tcsi_problems_format(const tcsi_problems *problems, size_t index, char *ret_text, size_t size);
/* TCS_OK without any; otherwise E_FORMAT, err telling the first and how many more there are. */
tcs_status tcsi_problems_status(const tcsi_problems *problems, tcs_error *err) TCS_WARN_UNUSED;

#endif
