/* serve/history/regex.h -- regular expressions of people who ask, matched in bounded time whatever they are.
 *
 * The language is that of Prometheus' matchers (RE2's), as far as label values need it: literals, . [] [^] | () (?:) * + ? {n,m} and
 * their lazy forms, ^ $, \d \D \w \W \s \S, escapes of bytes and of what has a meaning, (?i) at the beginning.  Always of the whole text.
 * Not: other flags, names of classes, back references (nobody has them who promises an end), characters beyond ASCII within [].
 *
 * K. Thompson, "Regular expression search algorithm", Communications of the ACM 11(6), 1968: the pattern becomes a program, and all ways
 * through it are followed at once, so that each byte costs at most the length of the program; repetitions are copies, and the whole is
 * bounded.
 * The C library's regcomp is not used: a{100}{100}{100} takes it gigabytes, and \1 any time at all.
 * Memory: sizeof(tcsi_regex), some 100 KiB, none allocated.  Threads: one user per struct. */
#ifndef TCS_SERVE_HISTORY_REGEX_H
#define TCS_SERVE_HISTORY_REGEX_H

#include "base/status.h"

enum { TCSI_REGEX_SIZE_MAX = 1024, TCSI_REGEX_PROGRAM_MAX = 2048, TCSI_REGEX_SETS_MAX = 256, TCSI_REGEX_DEPTH_MAX = 32 };

/* x, y: where it goes on, from here: both (SPLIT), x (JUMP); of SET: which one. */
typedef struct tcsi_regex_step {
    uint8_t kind;
    int16_t x, y;
} tcsi_regex_step;

typedef struct tcsi_regex {
    tcsi_regex_step program[TCSI_REGEX_PROGRAM_MAX];
    size_t step_count;
    uint64_t sets[TCSI_REGEX_SETS_MAX][4]; /* of bytes */
    size_t set_count;
    uint64_t cost;                           /* steps taken by all matches so far */
    uint16_t lists[2][TCSI_REGEX_PROGRAM_MAX], stack[2 * TCSI_REGEX_PROGRAM_MAX];
    uint32_t marks[TCSI_REGEX_PROGRAM_MAX], mark; /* which steps are on the list */
} tcsi_regex;

/* E_INVALID says at which byte what is wrong; E_LIMIT: too long, too deep or too many repetitions. */
tcs_status tcsi_regex_compile(tcsi_regex *pattern, const char *text, size_t size, tcs_error *err) TCS_WARN_UNUSED;
bool tcsi_regex_match(tcsi_regex *pattern, const char *text, size_t size);

#endif
