/* serve/shard/policy.h -- what is set for some series: which events they may raise, and after how long.
 *
 *     rules: {"within_s":120,"places":["host"],"policies":[{"match":["job=\"pump\""],"absence":"off","stuck":600,"high":90}]}
 *
 * A policy holds for the series of whose tags all its matchers hold (deliver/match.h); the first one that does is a series' own.  Each of
 * its keys is "off", a number of seconds, a word of its own, or left out: then it is learned.  Limits and weights are numbers, never off.
 * Rules decide what happens, so they come by the journal, as the action SETTING `rules`, and hold for all series from that record on:
 * those that are there, and those that come.  Cells save them.  The service writes such a record at its start when its settings say other
 * rules than the store remembers, which is where the last record's stand.
 * Memory: some 8 KB a policy and cell.  Threads: one user that changes. */
#ifndef TCS_SERVE_SHARD_POLICY_H
#define TCS_SERVE_SHARD_POLICY_H

#include "base/json.h"
#include "decide/cohort.h"
#include "series/key.h"
#include "serve/deliver/match.h"
#include "serve/shard/passed.h"
#include "serve/shard/presence.h"

/* Object of the action. */
#define TCSI_SETTING_RULES "rules"

enum { TCSI_POLICY_COUNT_MAX = 64, TCSI_RULES_SIZE_MAX = 1 << 17 };

/* What may stand at a key beside off. */
typedef enum tcsi_policy_value {
    TCSI_POLICY_SWITCH,  /* nothing */
    TCSI_POLICY_TIME,
    TCSI_POLICY_CONFIRM, /* a time, or the word confirm */
    TCSI_POLICY_WEIGHT,  /* a number from TCSI_COHORT_WEIGHT_MIN to TCSI_COHORT_WEIGHT_MAX, and never off */
    TCSI_POLICY_LIMIT    /* a finite number in the unit of the value that is judged, and never off; low is below high */
} tcsi_policy_value;
#define TCSI_POLICY_CONFIRM_WORD "confirm"

/* One row a key: name in rules and settings, field, what may stand at it, help. */
#define TCSI_POLICY_LIST(X)                                                                                        \
    X(absence, presence.absence_s, TCSI_POLICY_TIME, "nothing comes: after so long")                               \
    X(stale, presence.stale_s, TCSI_POLICY_CONFIRM,                                                                \
      "ended by its sender: confirmed after so long, with `confirm` after the wait that is learned; else suspected only") \
    X(stuck, presence.stuck_s, TCSI_POLICY_TIME, "the same value: for so long")                                    \
    X(late, presence.late_s, TCSI_POLICY_TIME, "rows stamped longer ago than that, or ahead by as much")           \
    X(cadence, presence.cadence_s, TCSI_POLICY_SWITCH, "another step of stamps")                                   \
    X(anomaly, anomaly_s, TCSI_POLICY_SWITCH, "unusual values")                                                    \
    X(budget_weight, budget_weight, TCSI_POLICY_WEIGHT, "so many times the part of the alarm budget that a series without it has") \
    X(low, limits.low, TCSI_POLICY_LIMIT,                                                                          \
      "values below it, whatever is learned, allowed or answered; of a counter its rate per second")               \
    X(high, limits.high, TCSI_POLICY_LIMIT, "values above it, likewise")

typedef struct tcsi_policy {
    tcsi_matcher match[TCSI_MATCHER_COUNT_MAX];
    size_t match_count;
    tcsi_presence_policy presence;
    double anomaly_s;    /* infinite: its values are not judged */
    double budget_weight; /* 1 where nothing is said: taught.h */
    tcsi_limits limits;
} tcsi_policy;

typedef struct tcsi_policies {
    char *text;          /* the rules, as they came; NULL: none */
    tcsi_policy *items;  /* (count) */
    size_t count;
    bool has_weights;    /* some are not 1 */
} tcsi_policies;

/* E_FORMAT: these are no rules; E_MEMORY. */
tcs_status tcsi_policies_init(tcsi_policies *policies, const char *text, size_t size, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_policies_deinit(tcsi_policies *policies); /* accepts a zeroed one */
/* The place of the policy of a series, plus one; 0: everything is learned. */
uint8_t tcsi_policies_find(const tcsi_policies *policies, const tcsi_key *key);
const tcsi_policy *tcsi_policies_get(const tcsi_policies *policies, uint8_t place);
void tcsi_policies_persist(tcsi_policies *policies, tcsi_codec *codec);

#endif
