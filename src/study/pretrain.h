/* study/pretrain.h -- trains judges (detect/deep/judge.h) on simulated series whose events are known.
 *
 * Series are simulated (simulate/series.h), scored by the offline experts (detect/ensemble/experts.h) and cut into blocks once; every
 * eleventh is never learned from.  A step draws 16 of the others and a stretch of each, mostly around an event, turned around in time half
 * of the time; blocks within events should rank above all others (tcsi_nn_loss_rank).  AdamW, cosine rate; the weights kept are an average
 * over the last steps.
 *
 * Simulated series are tidier than real ones, and a network learns that.  So 3 channels in 10 are left out (of values: 1), and 6 scores in
 * 10 are taken from another series: whoever trusts one score alone is wrong, as on real series, where each has its own false alarms.
 *
 * A pure function of its options: the same seeds give the same weights for any number of threads, interrupted or not. */
#ifndef TCS_STUDY_PRETRAIN_H
#define TCS_STUDY_PRETRAIN_H

#include "base/progress.h"
#include "detect/deep/judge.h"

/* ---- what is learned from ---- */

typedef struct tcsi_pretrain_set tcsi_pretrain_set;

/* About 30 ms and 0.3 MB a series.  E_MEMORY, E_CANCELLED. */
tcs_status tcsi_pretrain_set_create(uint64_t seed, size_t series_count, tcsi_pool *pool, const tcsi_progress *progress,
                                    tcsi_pretrain_set **ret_set, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_pretrain_set_destroy(tcsi_pretrain_set *set); /* accepts NULL */
size_t tcsi_pretrain_channel_count(tcsi_judge_view view); /* that a judge of these series sees */

/* ---- learning ---- */

typedef struct tcsi_pretrain_options {
    uint64_t seed;          /* of what is drawn in training; the first weights are the net's */
    size_t step_count;
    tcsi_judge_view view;
    tcsi_pool *pool;
    const char *checkpoint; /* a file: training goes on from it if it is there, and leaves it behind when it is stopped; NULL: none */
    /* Told every TCSI_PRETRAIN_ROUND steps with the running mean of the loss; false stops.  NULL: nobody asked. */
    bool (*report)(void *context, size_t steps_done, double loss);
    void *context;
} tcsi_pretrain_options;

enum { TCSI_PRETRAIN_ROUND = 100 };

/* Trains a net that tcsi_judge_build made, from x, and s.  E_CANCELLED: stopped, the checkpoint is written; E_INVALID: a checkpoint of
 * another training; E_MEMORY. */
typedef struct tcsi_judge {
    tcsi_net *net;
    tcsi_node_id s, loss;
} tcsi_judge;
tcs_status tcsi_pretrain_run(const tcsi_pretrain_set *set, const tcsi_pretrain_options *options, const tcsi_judge *judge,
                             tcs_error *err) TCS_WARN_UNUSED;

/* Mean area under the precision-recall curve over the blocks of the series never learned from: of the judge, and of the experts. */
typedef struct tcsi_pretrain_quality {
    size_t series_count;
    double judge, experts;
} tcsi_pretrain_quality;
tcs_status tcsi_pretrain_judge(const tcsi_pretrain_set *set, const tcsi_judge *judge, tcsi_judge_view view, tcsi_pool *pool,
                               tcsi_pretrain_quality *ret_quality, tcs_error *err) TCS_WARN_UNUSED;

#endif
