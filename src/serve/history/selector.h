/* serve/history/selector.h -- which series?  NAME{label="value", label!="value", label=~"pattern", label!~"pattern"}, as PromQL has it.
 *
 * And nothing else of PromQL: functions, operators, ranges and offsets are refused in words that say so.  A name that is no word stands in
 * quotes within the braces: {"http.requests", "a label"="b"}; texts are in "", '' or ``.  A label that a series has not is "".  As in
 * Prometheus a selector must have something that an empty text does not match, so that nobody asks for everything by accident.
 *
 * Input is hostile: at most TCSI_SELECTOR_SIZE_MAX bytes and TCSI_SELECTOR_MATCHERS_MAX matchers; patterns are regex.h's.
 * Memory: texts in the arena; a pattern is some 100 KiB, at most TCSI_SELECTOR_PATTERNS_MAX of them.  Threads: one user per struct. */
#ifndef TCS_SERVE_HISTORY_SELECTOR_H
#define TCS_SERVE_HISTORY_SELECTOR_H

#include "serve/history/regex.h"
#include "series/key.h"

enum { TCSI_SELECTOR_SIZE_MAX = 4096, TCSI_SELECTOR_MATCHERS_MAX = 16, TCSI_SELECTOR_PATTERNS_MAX = 8 };

typedef enum tcsi_label_matcher_kind {
    TCSI_MATCH_LABEL_IS, TCSI_MATCH_LABEL_IS_NOT, TCSI_MATCH_LABEL_LIKE, TCSI_MATCH_LABEL_UNLIKE
} tcsi_label_matcher_kind;

typedef struct tcsi_label_matcher {
    tcsi_label_matcher_kind kind;
    const char *name, *value; /* end with 0 */
    size_t value_size;
    tcsi_regex *pattern;    /* LIKE, UNLIKE */
} tcsi_label_matcher;

typedef struct tcsi_selector {
    tcsi_label_matcher matchers[TCSI_SELECTOR_MATCHERS_MAX];
    size_t matcher_count;
} tcsi_selector;

/* E_INVALID: err says at which byte what was expected; E_LIMIT, E_MEMORY. */
tcs_status tcsi_selector_parse(const char *text, size_t size, tcsi_arena *arena, tcsi_selector *ret_selector,
                               tcs_error *err) TCS_WARN_UNUSED;
bool tcsi_selector_match(const tcsi_selector *selector, const tcsi_key *key);
/* The value that the name must have; NULL: it says nothing, or something else than =. */
const char *tcsi_selector_metric(const tcsi_selector *selector);

#endif
