/* serve/deliver/match.h -- matchers, silences and maintenance windows, as Alertmanager has them.
 *
 *     name="value"   name!="value"   name=~"regular expression"   name!~"regular expression"
 *
 * A name that an alert does not have counts as empty.  Expressions match whole values and are POSIX extended ones (regcomp), which have
 * no \d and no lazy repetition; counted repetition ({2,5}) is refused, as it can take memory without bound.
 * A silence is a list of matchers that must all hold, from a time to a time; a maintenance window is one that was planned.  While one
 * holds, an alert is not told; what was told before is still resolved, and what still lasts when it ends is told then.
 * Threads: plain data, read by many. */
#ifndef TCS_SERVE_DELIVER_MATCH_H
#define TCS_SERVE_DELIVER_MATCH_H

#include "serve/alert.h"

enum { TCSI_MATCHER_COUNT_MAX = 16, TCSI_MATCHER_SIZE_MAX = 256 };

typedef enum tcsi_matcher_kind { TCSI_MATCH_EQUAL, TCSI_MATCH_DIFFERS, TCSI_MATCH_LIKE, TCSI_MATCH_UNLIKE,
                                 TCSI_MATCHER_KIND_COUNT } tcsi_matcher_kind;

typedef struct tcsi_matcher {
    char name[TCSI_MATCHER_SIZE_MAX], value[TCSI_MATCHER_SIZE_MAX];
    tcsi_matcher_kind kind;
    void *expression; /* compiled: LIKE, UNLIKE */
} tcsi_matcher;

/* Quotes may be left out around a value without blanks.  E_INVALID says what is wrong. */
tcs_status tcsi_matcher_parse(const char *text, tcsi_matcher *ret_matcher, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_matcher_make(const char *name, tcsi_matcher_kind kind, const char *value, tcsi_matcher *ret_matcher,
                             tcs_error *err) TCS_WARN_UNUSED;
extern const char *const tcsi_matcher_signs[TCSI_MATCHER_KIND_COUNT]; /* "=" */
void tcsi_matcher_deinit(tcsi_matcher *matcher); /* accepts a zeroed one */
/* Whether it holds of a tag that is not there: a silence of such matchers alone would be one of everything. */
bool tcsi_matcher_holds_of_nothing(const tcsi_matcher *matcher);
/* None holds for every alert. */
bool tcsi_matchers_hold(const tcsi_matcher *matchers, size_t matcher_count, const tcsi_alert_tag *tags, size_t tag_count);

typedef struct tcsi_silence {
    char id[40];
    tcsi_matcher match[TCSI_MATCHER_COUNT_MAX];
    size_t match_count;            /* 0: never holds, so that nobody silences everything by leaving something out */
    int64_t starts_ns, ends_ns;    /* [starts, ends) */
    bool is_maintenance;
    char author[64], comment[256];
} tcsi_silence;

void tcsi_silence_deinit(tcsi_silence *silence);
bool tcsi_silence_holds(const tcsi_silence *silence, const tcsi_alert *alert, int64_t now_ns);

#endif
