/* decide/cohort.h -- many series judged together: one tail for all of them, a few numbers for each.
 *
 * A tail fitted to one series takes it days to earn, and 400 KB to keep (decide/history.h).  A million series cannot have one each, and
 * need not: what differs most between them is the scale of their scores, and what they share is how far beyond the usual chance reaches.
 * So a score becomes a *height*, how many times what is usual for its series:
 *     height = min(score / usual, HEIGHT_MAX) / bar
 *     usual    what one in 50 of the series' own scores exceeds, by stochastic approximation of a quantile (H. Robbins, S. Monro, "A
 *              stochastic approximation method", Annals of Mathematical Statistics 22(3), 1951) in steps of its logarithm; it begins at
 *              what is usual in the cohort, and is 1 at least: scores are deviations, and less than one of them is nothing
 *     bar      1, half as much again with each alarm, and back to 1 within BAR_ROWS rows: one series whose scores reach farther than the
 *              cohort's tail tells of itself a few times, and then neither floods its readers nor spoils the tail for the others
 * and heights of all series are calibrated by one tail of cluster peaks, as everywhere (decide/tail.h).  What is promised is the number of
 * false alarms of the whole cohort: it is shared out by where chance falls, not evenly.  A new series is judged from its first scores on,
 * by what others have taught.
 * Scores of an open alarm move nothing but its peak, for PATIENCE rows: then they are the new usual.
 * What the tail learns of alarms.  A. Siffer and others ("Anomaly detection in streams with extreme value theory", KDD 2017) leave every
 * alarm out of the tail; then those of chance are missing in it, and it raises half as many again where tails are heavy.  With all of
 * them in it one event hides those after it.  Chance mostly passes the threshold by a little.  A peak ten times rarer than what is allowed
 * is therefore set aside: it counts as ordinary, unless fewer of that kind have counted as they are than chance gives, so that chance is in
 * the tail as often as it should be; and at most one is, and one more for every ASIDE_SCORES scores, since it may be the tail that is
 * wrong.
 * Series that hold still have no peaks, and a tail of nothings would be passed by anything.  So no peak is below PEAK_MIN, nothing is out
 * of the ordinary that is not above what is usual (height 1), and while there are fewer than PRIOR_PEAKS peaks, others stand in for those
 * that are missing, exponential with a mean of 0.8 heights, which is far more than noise has.
 * Series that move together say one thing many times: of so many scores the tail would be sure where it ends after the first rows, and all
 * would pass it at once as their charts settle.  So thresholds are 1 + (60 / rounds)^2 times what the tail says where there are a hundred
 * series or more, and what it says where there are fifty or fewer.
 * What is allowed may be shared out otherwise (tcsi_cohort_push_as): a member with a share of s is held to a threshold that chance passes
 * s times as often as others', and share_norm brings the sum back to what the cohort is allowed.
 * Memory: 20 bytes a series; the cohort some 40 KB.  Cost: O(1) a score beside the fits, of which there are some 13 for every tenfold of
 * scores.  Threads: one user. */
#ifndef TCS_DECIDE_COHORT_H
#define TCS_DECIDE_COHORT_H

#include "decide/history.h"

enum { TCSI_COHORT_BODY = 2048 };
/* Shares are in steps of a half octave: 1/4, 0.35, 1/2, 0.71, 1, 1.41. */
enum { TCSI_COHORT_SHARES = 6, TCSI_COHORT_SHARE_ONE = 4, TCSI_COHORT_GROUPS = 65 };
#define TCSI_COHORT_WEIGHT_MIN 0.01
#define TCSI_COHORT_WEIGHT_MAX 100.0
#define TCSI_COHORT_HEIGHT_MAX 64.0

/* Zeros are a series without a score so far. */
typedef struct tcsi_cohort_member {
    float usual, bar;
    float peak;        /* of its cluster; 0: none */
    uint32_t count;    /* scores, saturating */
    uint16_t since;    /* scores since the cluster's peak, or since one was out of the ordinary */
    uint16_t open_for; /* scores since its alarm opened, saturating; 0: none is open */
} tcsi_cohort_member;

typedef struct tcsi_cohort {
    double rate;              /* alarms of chance allowed per score */
    size_t run_length;        /* scores without a new highest that end a cluster */
    double usual;             /* of all series, for those that begin */
    uint64_t count, fit_at;   /* scores so far, and at the next fit */
    uint32_t rounds;          /* the most scores of one series: what all say at one moment is no past */
    uint32_t fit_rounds;      /* as of the last fit; what it says is stretched by how few they are, */
    double fit_crowd;         /* and by how many said it: from 0, 50 series or fewer, to 1, a hundred */
    uint64_t aside_count, sure_count; /* peaks of alarms too rare for chance: that the tail was spared, and that it was not */
    double *body;             /* (TCSI_COHORT_BODY) heights, every so many scores one */
    size_t body_count, body_at;
    tcsi_peaks peaks;
    tcsi_tail tail;           /* count 0: not fitted yet */
    double threshold, threshold_low; /* heights, in force for the next score; infinite before the first fit */
    double share_norm;        /* of the rate, that a share and a weight of 1 get; 1 where all have them */
    double weights[TCSI_COHORT_GROUPS];
    double thresholds[TCSI_COHORT_GROUPS][TCSI_COHORT_SHARES]; /* NaN: to be reckoned when somebody asks */
} tcsi_cohort;

typedef struct tcsi_cohort_verdict {
    double height;
    bool is_above;    /* it alarms, or continues to */
    bool is_unusual;  /* out of the ordinary: above threshold_low */
    bool is_opening;  /* its first score above */
    bool is_closing;  /* the alarm of scores before this one is over */
} tcsi_cohort_verdict;

/* rate in (0, 1); run_length >= 1.  E_MEMORY. */
tcs_status tcsi_cohort_init(tcsi_cohort *cohort, double rate, size_t run_length, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_cohort_deinit(tcsi_cohort *cohort); /* accepts a zeroed one */
/* Another rate, from the next score on. */
void tcsi_cohort_set_rate(tcsi_cohort *cohort, double rate);
/* norm > 0, at most 2 / TCSI_COHORT_WEIGHT_MIN: so that what members with shares of their own are given or lose, others lose or are
 * given. */
void tcsi_cohort_set_norm(tcsi_cohort *cohort, double norm);
double tcsi_cohort_share(unsigned index); /* what it stands for */
/* Members of group g < count have weights[g] times the share that they have otherwise, those of other groups one: within WEIGHT_MIN and
 * WEIGHT_MAX.  Not saved: to be set again after loading. */
void tcsi_cohort_set_weights(tcsi_cohort *cohort, const double *weights, size_t count);

/* One more score >= 0, finite, of a member.  Allocates only when it fits.  E_MEMORY leaves a cohort that can only be released. */
tcs_status tcsi_cohort_push(tcsi_cohort *cohort, tcsi_cohort_member *member, double score, tcsi_cohort_verdict *ret_verdict,
                            tcs_error *err) TCS_WARN_UNUSED;
/* Somebody else has raised an alarm for the member: it lasts, ends and raises the bar like the cohort's own.  Nothing when one is open. */
void tcsi_cohort_open(tcsi_cohort_member *member);
/* What is known of a member from elsewhere. */
typedef struct tcsi_cohort_regard {
    uint8_t share;       /* index, < TCSI_COHORT_SHARES */
    uint8_t group;       /* < TCSI_COHORT_GROUPS */
    bool is_incident;    /* somebody said so: the score moves neither scale nor tail */
} tcsi_cohort_regard;
tcs_status tcsi_cohort_push_as(tcsi_cohort *cohort, tcsi_cohort_member *member, double score, tcsi_cohort_regard regard,
                               tcsi_cohort_verdict *ret_verdict, tcs_error *err) TCS_WARN_UNUSED;
double tcsi_cohort_threshold(tcsi_cohort *cohort, tcsi_cohort_regard regard); /* the height above which it alarms */
/* Chance of a height like this on a normal row; 1 before the first fit. */
double tcsi_cohort_p_value(const tcsi_cohort *cohort, double height);
/* Alarms of this height that chance raises in the cohort per score; 1 before the first fit. */
double tcsi_cohort_rate(const tcsi_cohort *cohort, double height);

/* Between two scores.  Loading, the cohort was initialized. */
void tcsi_cohort_persist(tcsi_cohort *cohort, tcsi_codec *codec);
void tcsi_cohort_member_persist(tcsi_cohort_member *member, tcsi_codec *codec);

#endif
