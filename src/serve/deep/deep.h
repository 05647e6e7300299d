/* serve/deep/deep.h -- the deep layer: takes questions (shard/second_look.h), answers those it can, and learns from what it is shown.
 *
 *     live's workers ── ask ──> queue ──> workers: score, chance ──> tcsi_intake_hear: VERDICTS in the journal ──> live
 *                                            └──> teacher.h: windows ──> a new model now and then
 *
 * It decides nothing and promises nothing: a question that is lost, late or failed is one that nobody answered, and the state has a rule
 * for that.  So it may be slow, stuck or gone without anybody waiting for it.  The queue is bounded by what cells may have waiting at once;
 * what is overdue when its turn comes is thrown away unread.
 * A challenger, where there is one, scores the same rows out of the ordinary once the champion's answers are in the journal, and while
 * no more than a batch waits: what comes of that is counted, and decides nothing.  With a canary (models/canary.h) it answers for those
 * series.
 * Before it is started, while the journal is read, questions are answered by the journal: it only learns from them.
 * Memory: tcsi_deep_size.  Threads: ask, stat from any; the rest from one. */
#ifndef TCS_SERVE_DEEP_DEEP_H
#define TCS_SERVE_DEEP_DEEP_H

#include "serve/deep/shadow.h"
#include "serve/deep/teacher.h"
#include "serve/intake.h"
#include "serve/models/canary.h"

typedef struct tcsi_deep tcsi_deep;

typedef struct tcsi_deep_options {
    size_t thread_count;      /* that answer; 0: 1 */
    double train_share;       /* of one processor; 0: 0.1 */
    int64_t deadline_ns;      /* from a row's receipt, as the cells have it */
    tcsi_store *store;        /* of its teacher alone; NULL: models are not kept */
    /* Before each batch of answers; false: the batch fails.  NULL: all goes well. */
    bool (*disturb)(void *context);
    void *context;
} tcsi_deep_options;

/* E_MEMORY; E_IO: no thread. */
tcs_status tcsi_deep_create(const tcsi_deep_options *options, tcsi_deep **ret_deep, tcs_error *err) TCS_WARN_UNUSED;
/* From now on questions are answered into the journal. */
void tcsi_deep_start(tcsi_deep *deep, tcsi_intake *intake);
/* Returns when nothing more goes into the journal; what is asked later is lost.  Accepts NULL. */
void tcsi_deep_stop(tcsi_deep *deep);
void tcsi_deep_destroy(tcsi_deep *deep); /* accepts NULL */

void tcsi_deep_ask(void *deep, const tcsi_deep_question *question);

typedef struct tcsi_deep_stats {
    char model[TCSI_HASH_TEXT_SIZE]; /* ""; none so far */
    size_t waiting_count;            /* in the queue */
    uint64_t answered_count, late_count, failed_count, lost_count; /* late: overdue before its turn came; lost: the queue was full */
    tcsi_deep_shadow shadow;         /* the challenger beside the champion, since either took its place */
    tcsi_canary canary;              /* share 0: off */
    uint64_t latencies[TCSI_LIVE_LATENCY_COUNT]; /* from a row's receipt until its answer is durable, as live.h has them */
    tcsi_teacher_stats teacher;
} tcsi_deep_stats;
tcsi_deep_stats tcsi_deep_stat(tcsi_deep *deep);
/* Within which that share of answers was durable, in seconds; 0: there were none. */
double tcsi_deep_latency(const tcsi_deep_stats *stats, double share);
size_t tcsi_deep_size(void); /* bytes that it holds, about */

#endif
