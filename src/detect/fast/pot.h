/* detect/fast/pot.h -- peaks over a threshold, streaming: what spot and dspot share.
 * The excesses over a high threshold of almost any distribution follow a generalized Pareto distribution (J. Pickands,
 * Annals of Statistics 3(1), 1975), P(Y > y) = (1 + shape y / scale)^(-1/shape); fitted to the excesses seen, it says how
 * likely values beyond all of them are.
 * Memory: allocated by init.  Threads: one user per struct. */
#ifndef TCS_DETECT_FAST_POT_H
#define TCS_DETECT_FAST_POT_H

#include "detect/fast/robust.h"

typedef struct tcsi_gpd {
    double shape, scale; /* scale > 0; shape 0: exponential */
} tcsi_gpd;

/* Maximum likelihood on count >= 1 excesses, all > 0 and finite: Grimshaw's one-dimensional search (see pot.c). */
tcsi_gpd tcsi_gpd_fit(const double *excesses, size_t count);

/* -log10 P(Y > excess), >= 0; INFINITY beyond the end of a bounded tail. */
double tcsi_gpd_surprise(const tcsi_gpd *gpd, double excess);

typedef struct tcsi_pot_options {
    double risk;           /* rows rarer than this are alarms; a row a hundred times rarer is learned as such */
    double level;          /* quantile of the first rows that becomes the threshold */
    size_t warmup_count;   /* first rows */
    size_t peak_count_max; /* excesses kept per side */
    size_t patience_count; /* alarms on end after which everything starts anew */
    bool two_sided;
} tcsi_pot_options;

/* Their rows of a parameter table; at: where a tcsi_pot_options lies in the detector's options. */
#define TCSI_POT_PARAMETERS(at) \
    { "risk", TCSI_PARAMETER_REAL, (at) + offsetof(tcsi_pot_options, risk), 1e-4, 1e-12, 0.1, \
      "probability below which a row is an alarm" }, \
    { "level", TCSI_PARAMETER_REAL, (at) + offsetof(tcsi_pot_options, level), 0.95, 0.5, 0.9999, "quantile where the tail begins" }, \
    { "warmup_count", TCSI_PARAMETER_COUNT, (at) + offsetof(tcsi_pot_options, warmup_count), 200, 2, 100000, "rows held for the start" }, \
    { "peak_count_max", TCSI_PARAMETER_COUNT, (at) + offsetof(tcsi_pot_options, peak_count_max), 200, 1, 4096, \
      "excesses kept per side" }, \
    { "patience_count", TCSI_PARAMETER_COUNT, (at) + offsetof(tcsi_pot_options, patience_count), 100, 1, 1e9, \
      "alarms on end after which a new normal is learned" }, \
    { "two_sided", TCSI_PARAMETER_BOOL, (at) + offsetof(tcsi_pot_options, two_sided), 1, 0, 1, "low values are anomalous as well" }

typedef struct tcsi_pot_tail {
    double *excesses;      /* (peak_count_max), a ring */
    size_t count, next, unfitted_count;
    double center, threshold;
    double peak_weight, row_weight; /* their ratio is the mass of the tail; halved together, so that it keeps up */
    tcsi_gpd gpd;
} tcsi_pot_tail;

typedef struct tcsi_pot {
    const tcsi_pot_options *options; /* borrowed */
    tcsi_first_rows first;
    tcsi_pot_tail tails[2];          /* upper, and lower with signs turned */
    size_t alarm_run;
    bool is_started;
} tcsi_pot;

tcs_status tcsi_pot_init(tcsi_pot *pot, const tcsi_pot_options *options, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_pot_deinit(tcsi_pot *pot); /* accepts a zeroed struct */
void tcsi_pot_reset(tcsi_pot *pot);
/* Sets the thresholds from the first rows held so far (at least 2, else nothing happens). */
void tcsi_pot_start(tcsi_pot *pot);
void tcsi_pot_copy(tcsi_pot *to, const tcsi_pot *from); /* both made with the same options */
void tcsi_pot_persist(tcsi_pot *pot, tcsi_codec *codec);
size_t tcsi_pot_size(const tcsi_pot_options *options);  /* bytes allocated */

typedef enum tcsi_pot_outcome { TCSI_POT_WARMUP, TCSI_POT_NORMAL, TCSI_POT_ALARM, TCSI_POT_RESTART } tcsi_pot_outcome;

/* Scores x (finite) as -log10 of its tail probability, then learns it.  RESTART: it was the last of
 * patience_count alarms on end; the score stands, the next row is a first row again. */
tcsi_pot_outcome tcsi_pot_push(tcsi_pot *pot, double x, double *ret_score);

#endif
