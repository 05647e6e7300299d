/* adapt/pattern.h -- what an episode looks like, in few enough numbers to be kept beside an answer and compared with thousands.
 *
 * A person says "this is expected" of one episode and means all that look like it.  What the live service knows of an episode when it opens
 * is its onset: the last TCSI_PATTERN_SHAPE values up to it in deviations from the level, which way and how far, on which series, at which
 * hour; and, while it goes on, how high it rose and how long it lasted.  The first part is compared (that is all a new episode has
 * yet), the second is what guards go by (adapt/memory.h).
 *
 * Deviations are kept in a byte each: step = 127 z / (TCSI_PATTERN_SOFT + |z|), so that usual rows are told apart to a sixteenth of a
 * deviation, and 100 deviations are not like 10.  The distance is Euclidean,
 *     distance^2 = mean over the shape of (difference of steps / 127)^2, the onset's own step counting ONSET_WEIGHT times
 *                + HEIGHT_WEIGHT ln^2(ratio of heights at the onset)
 *                + HOUR_WEIGHT (difference of the hours of the day / 12 h)^2
 * and infinite between kinds, and between rises and falls.
 *
 * What a distance means: tcsi_pattern_share says which share of episodes that have nothing to do with each other lie no farther apart.
 * That is an a-contrario rule: what is near must be so near that chance would hardly do it (P. Muse, F. Sur, F. Cao, Y. Gousseau, J.-M.
 * Morel, "An a contrario decision method for shape element recognition", International Journal of Computer Vision 69(3), 2006).  The table
 * behind it was measured on pairs of episodes of different simulated series, `answers_bench --distances` prints it anew, and the same
 * program says how well it holds on real ones.
 * Threads: reentrant. */
#ifndef TCS_ADAPT_PATTERN_H
#define TCS_ADAPT_PATTERN_H

#include "base/codec.h"
#include "base/json.h"

enum { TCSI_PATTERN_SHAPE = 16, TCSI_PATTERN_SOFT = 8 };

/* The onset: what an episode has from its first row on. */
typedef struct tcsi_onset {
    int8_t shape[TCSI_PATTERN_SHAPE]; /* steps, the onset's last */
    float height;            /* how many times what is usual for the series (decide/cohort.h, without the bar); negative below what was */
                             /* expected; 0: of what no score tells of */
} tcsi_onset;

typedef struct tcsi_pattern {
    uint32_t series, family; /* whose it is; a family is of series that measure alike (the caller's hash) */
    uint32_t kind;           /* the caller's: of episodes, at most 255 */
    tcsi_onset onset;
    float height;            /* the greatest of all its rows */
    float lasted;            /* rows out of the ordinary; of what no rows tell of, seconds */
    double reach;            /* |value - expected| at its peak, in units of the data */
    int64_t begin_ns;        /* with series and kind: which episode it is */
} tcsi_pattern;

/* z: deviations from the level; any number.  NaN is 0. */
int8_t tcsi_pattern_step(double z);

/* >= 0; infinite: nothing alike. */
double tcsi_pattern_distance(const tcsi_pattern *a, const tcsi_pattern *b);
/* Of unrelated pairs, the share that is no farther apart; (0, 1]. */
double tcsi_pattern_share(double distance);

/* As a JSON object, from which the same bits are read.  E_FORMAT: it is none. */
void tcsi_pattern_write(const tcsi_pattern *pattern, tcsi_json_writer *writer);
tcs_status tcsi_pattern_read(const tcsi_json_value *value, tcsi_pattern *ret_pattern, tcs_error *err) TCS_WARN_UNUSED;

void tcsi_onset_persist(tcsi_onset *onset, tcsi_codec *codec);
void tcsi_pattern_persist(tcsi_pattern *pattern, tcsi_codec *codec);

#endif
