/* adapt/memory.h -- what people said of episodes, asked at every episode that opens: should this one be quiet, or heard at once?
 *
 *     put, undo, expire ──> memory ──ask(pattern)──> NONE | SUPPRESS(answer) | RAISE(answer)
 *
 * An answer speaks of its own episode, of what looks like it on its series, of its whole series, or of what looks like it on similar series
 * (its scope).  Within its scope it has a vote of
 *     confidence * max(1 - share / limit, VOTE_MIN)          share: how like chance the nearness is (adapt/pattern.h)
 * where limit is SERIES_LIMIT on its own series.  On others it is SIMILAR_LIMIT, and so little that of all answers that speak of similar
 * series SIMILAR_CHANCE are expected to be as near by chance: the a-contrario rule.  Beyond the limit it has none.  *expected* and *not
 * mine* vote for quiet, *true* against.  Quiet wins with MAJORITY times the votes of the other side and at least VOTE_NEEDED, and the other
 * way round: one wrong answer among several right ones changes nothing, and where people disagree everything stays as it would be without
 * them.  It is a vote of the nearest neighbours, weighted by distance (S. Dudani, "The distance-weighted k-nearest-neighbor rule", IEEE
 * Transactions on Systems, Man, and Cybernetics 6(4), 1976).
 *
 * Guards.  An episode is never quiet
 *   - when it is a hard limit;
 *   - when it is more than GUARD_RARITY times rarer, in alarms of chance of its cohort, or more than GUARD_HEIGHT times higher, or, on the
 *     same series, reaches more than GUARD_REACH times as far from what was expected than the greatest of the episodes that were answered;
 *   - when it lasts longer than GUARD_LASTED times the longest of these and GUARD_ROWS.  An answer to an episode that still lasts speaks of
 *     all of it, however long.
 * Since the question is asked again with each of an episode's rows, one that grows is heard as soon as it passes a guard.
 *
 * Bounded: TCSI_MEMORY_MAX answers.  One more forgets the one whose last use, or else its arrival, is longest ago; what expired or was
 * undone goes first.  A forgotten answer stays in the store and acts no more.
 * Nothing in here reads a clock: times are arguments.  The same calls give the same bits.  Cost of a question: one look at every answer,
 * some 50 ns each.  Threads: one user. */
#ifndef TCS_ADAPT_MEMORY_H
#define TCS_ADAPT_MEMORY_H

#include "adapt/pattern.h"
#include "base/fingerprint.h"
#include "decide/cohort.h"

enum { TCSI_MEMORY_MAX = 1024 };

typedef enum tcsi_answer_verdict {
    TCSI_ANSWER_TRUE, TCSI_ANSWER_EXPECTED, TCSI_ANSWER_NOT_MINE, TCSI_ANSWER_VERDICT_COUNT
} tcsi_answer_verdict;
typedef enum tcsi_answer_scope {
    TCSI_SCOPE_EPISODE, TCSI_SCOPE_PATTERN, TCSI_SCOPE_SERIES, TCSI_SCOPE_SIMILAR, TCSI_ANSWER_SCOPE_COUNT
} tcsi_answer_scope;
extern const char *const tcsi_answer_verdict_names[TCSI_ANSWER_VERDICT_COUNT]; /* "true", "expected", "not_mine" */
extern const char *const tcsi_answer_scope_names[TCSI_ANSWER_SCOPE_COUNT];     /* "episode", "pattern", "series", "similar" */

typedef struct tcsi_episode_answer {
    tcsi_fingerprint id;   /* the caller's, not zeros */
    uint8_t verdict, scope; /* tcsi_answer_verdict, tcsi_answer_scope */
    float confidence;      /* [0, 1]: how sure, and how far to believe who said it */
    int64_t until_ns;      /* INT64_MAX: no end */
    uint32_t place;        /* the caller's: where its series is */
    tcsi_pattern pattern;  /* of the episode that was answered */
} tcsi_episode_answer;

typedef struct tcsi_remembered {
    tcsi_episode_answer answer;
    uint64_t used;         /* serial of its last use */
} tcsi_remembered;

typedef struct tcsi_memory {
    tcsi_remembered *items; /* (TCSI_MEMORY_MAX) in no order */
    size_t count;
    size_t true_count;      /* of them, that say *true* */
    uint64_t serial;
} tcsi_memory;

typedef enum tcsi_advice_kind { TCSI_ADVICE_NONE, TCSI_ADVICE_SUPPRESS, TCSI_ADVICE_RAISE } tcsi_advice_kind;

typedef struct tcsi_advice {
    tcsi_advice_kind kind;
    bool is_guarded;   /* NONE: the votes were for quiet, and a guard was against */
    tcsi_fingerprint answer; /* the nearest that voted so; NONE: zeros */
    double distance;   /* from its episode */
    double vote_quiet, vote_heard;
} tcsi_advice;

typedef struct tcsi_question {
    tcsi_pattern pattern;       /* as far as it is known */
    int64_t now_ns;
    bool is_hard;               /* a hard limit was passed */
    const tcsi_cohort *cohort;  /* what its heights mean; NULL: rarity is no guard */
} tcsi_question;

tcs_status tcsi_memory_init(tcsi_memory *memory, tcs_error *err) TCS_WARN_UNUSED; /* E_MEMORY */
void tcsi_memory_deinit(tcsi_memory *memory); /* accepts a zeroed one */
/* In place of the answer with the same id, if there is one. */
void tcsi_memory_put(tcsi_memory *memory, const tcsi_episode_answer *answer);
/* false: there is none (any more).  *ret_answer, may be NULL: what it was. */
bool tcsi_memory_undo(tcsi_memory *memory, tcsi_fingerprint id, tcsi_episode_answer *ret_answer);
bool tcsi_memory_has_ended(const tcsi_memory *memory, int64_t now_ns); /* something did, before now_ns */
/* Forgets what ended before now_ns; true: something did. */
bool tcsi_memory_expire(tcsi_memory *memory, int64_t now_ns);
const tcsi_episode_answer *tcsi_memory_find(const tcsi_memory *memory, tcsi_fingerprint id); /* NULL: none */

tcsi_advice tcsi_memory_ask(tcsi_memory *memory, const tcsi_question *question);

/* The share (adapt/pattern.h) of unrelated episodes that are as near to the pattern as the nearest one answered *true* on its series; 1:
 * there is none.  Answers to an episode alone do not count. */
double tcsi_memory_nearest_true(const tcsi_memory *memory, const tcsi_pattern *pattern, int64_t now_ns);

/* How much of what its series raised is worth an alarm: the mean of a Beta distribution (two of SHARE_PRIOR answers imagined *true* in
 * three) after the answers of whatever scope that were given on episodes of this series, against the mean without any; so 1 where nobody
 * said anything, and within [TCSI_SHARE_MIN, TCSI_SHARE_MAX].  *not mine* says nothing of it. */
#define TCSI_SHARE_MIN 0.25
#define TCSI_SHARE_MAX 1.5
double tcsi_memory_share(const tcsi_memory *memory, uint32_t series, int64_t now_ns);

void tcsi_memory_persist(tcsi_memory *memory, tcsi_codec *codec); /* loading: it was initialized */

#endif
