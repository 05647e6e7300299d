/* decide/peaks.h -- of scores in order of time, the peaks of those that belong together.
 *
 * Neighbouring scores are not independent, so what is counted are clusters: a cluster lasts until `run_length` scores in a row were no new
 * highest (runs declustering: S. Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, section 5.3.2), and as long as
 * scores stay above `low`, as an episode does (decide/episode.h).  Of each only its peak is kept, and of the peaks the highest.
 *
 * Two generations: a new one begins every `generation_max` scores, and the last but one is forgotten, so that what is usual may change.
 * Memory: 2 TCSI_PEAK_COUNT_MAX doubles.  Cost: O(1) a score; a peak among the highest is put in its place in O(TCSI_PEAK_COUNT_MAX), which
 * happens ever more rarely.  Threads: one user. */
#ifndef TCS_DECIDE_PEAKS_H
#define TCS_DECIDE_PEAKS_H

#include "base/codec.h"

enum { TCSI_PEAK_COUNT_MAX = 512 };

/* A cluster that may still grow. */
typedef struct tcsi_cluster {
    size_t run_length; /* >= 1 */
    double best;
    size_t since;      /* scores since then */
    bool is_open;
} tcsi_cluster;

/* low: scores above it continue the cluster, whatever run_length says; INFINITY: none do.  true: the score ended one, whose peak is
 * *ret_peak. */
bool tcsi_cluster_push(tcsi_cluster *cluster, double score, double low, double *ret_peak);

typedef struct tcsi_peak_generation {
    uint64_t score_count, cluster_count;
    size_t peak_count; /* kept */
    double highest[TCSI_PEAK_COUNT_MAX]; /* (peak_count) descending */
} tcsi_peak_generation;

typedef struct tcsi_peaks {
    uint64_t generation_max; /* scores; 0: one generation for ever */
    tcsi_peak_generation old, young;
    tcsi_cluster cluster;
} tcsi_peaks;

void tcsi_peaks_init(tcsi_peaks *peaks, size_t run_length, uint64_t generation_max);
void tcsi_peaks_push(tcsi_peaks *peaks, double score, double low);
/* The two halves of push, for whoever finds clusters elsewhere, of many series say: a score counts, and a cluster's peak is kept. */
void tcsi_peaks_count(tcsi_peaks *peaks);
void tcsi_peaks_keep(tcsi_peaks *peaks, double peak);

/* The highest of both generations, descending, at most TCSI_PEAK_COUNT_MAX; returns how many. */
size_t tcsi_peaks_collect(const tcsi_peaks *peaks, double ret_highest[TCSI_PEAK_COUNT_MAX]);
uint64_t tcsi_peaks_score_count(const tcsi_peaks *peaks);   /* of both generations */
uint64_t tcsi_peaks_cluster_count(const tcsi_peaks *peaks);

void tcsi_peaks_persist(tcsi_peaks *peaks, tcsi_codec *codec);

#endif
