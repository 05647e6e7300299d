/* serve/shard/presence.h -- do rows of a series come, when, and do they say anything?  Five kinds of events that are not about values.
 *
 * A series has two clocks: the stamps of its rows, and when they were received.  What is usual of either is learned from the series alone:
 *     cadence   the step from one stamp to the next (a mean, one step counted no more than twice)
 *     gap       the longest silence between two receipts: the longest one seen, forgotten over 4000 times itself.  A sender that
 *               brings sixty rows each minute has a cadence of a second and a gap of a minute
 *     lag       receipt less stamp, of the newest row in each receipt: mean, and mean distance of neighbours
 *     pace      the logarithm of the step, over 16 steps, and the range that it has been in
 *     run       the same value on end, and the longest such run
 *
 * kind      opens                                                              ends
 * ABSENCE   a tick finds it silent for 5 cadences, 3 gaps and 3 s              something comes, in time or not
 * STALE     suspected, when a mark of its sender that it is over was not       a row comes; or, suspected only, after a day: it is
 *           taken back for as long, and it had 200 rows before; confirmed      over, for good
 *           where a policy says so, however few rows it had
 * LATE      for 3 gaps and 15 s on end every receipt's newest row was behind    a receipt is in time again
 *           its receipt by 5 cadences or gaps, 5 s and 8 usual distances more
 *           than usual; or as much ahead of it, and of the usual
 * CADENCE   for 16 steps on end the pace was 0.75 octaves and 1.4 usual         it is back; or 500 steps later: that is what is usual now
 *           distances out of its range
 * STUCK     the same value 30 times and 4 times as often as ever before,       another value
 *           where 20 rows differed from the one before them
 * So a batch is no absence, a backlog is late and not absent, rows that are refused because a clock was set back an hour are late as well,
 * and one gap changes no cadence.  What was told raises what is usual, but no more than fourfold: a thing that happens every night is told
 * a few times.  Another cadence is told twice; the third time it is usual, too.
 *
 * A tick that comes more than four times as late as the one before it (and more than four seconds) says that the service itself did not
 * look, or that its clock was set: silence is counted from there.
 *
 * All of it can be set for a series: shard/policy.h.  Cost: constant, some 30 operations a row, no logarithm.
 * Memory: 96 bytes a series.  Threads: one user per struct. */
#ifndef TCS_SERVE_SHARD_PRESENCE_H
#define TCS_SERVE_SHARD_PRESENCE_H

#include "base/codec.h"
#include "serve/ingest/outcome.h"
#include "serve/shard/kind.h"

/* Seconds; NaN: as it is learned; infinite: never told.  stale_s, where it is a number, confirms: 0 after the wait that is learned. */
typedef struct tcsi_presence_policy {
    double absence_s, stale_s, stuck_s, late_s, cadence_s; /* cadence_s: NaN or infinite */
} tcsi_presence_policy;
extern const tcsi_presence_policy tcsi_presence_policy_auto;

/* Zeros are a series that nothing ever came of. */
typedef struct tcsi_presence {
    int64_t received_ns;                 /* when something came last, whatever became of it */
    int64_t stuck_ns, late_ns, paced_ns; /* since when: the value is the same; every receipt was late (0: not); the pace is another one */
    float cadence_s;                     /* 0: not known yet */
    float gap_s, lived_s;                /* lived: from its first receipt to its last, until it is known */
    float lag_s, lag_spread_s;           /* usual; from one receipt to the next */
    float lag_now_s, lag_before_s;       /* of the newest row of the receipt at received_ns, and of the one before */
    float pace, pace_spread;             /* in octaves of a second */
    uint32_t step_count, same_count, same_count_max; /* same: rows that repeated the value before them, on end; the longest such run */
    uint16_t receipt_count, pace_run, change_count; /* all counts saturate */
    int8_t pace_low, pace_high;          /* in quarters of an octave */
    uint8_t pace_told;                   /* how often another pace was told */
    uint8_t open;                        /* a bit for each kind */
    uint8_t is_known;                    /* gap and lag are */
    uint8_t is_ended;                    /* by its sender */
    uint8_t is_stale_sure;               /* STALE opened as CONFIRMED */
} tcsi_presence;

/* When the service looked. */
typedef struct tcsi_presence_watch {
    int64_t tick_ns, step_ns; /* the last tick, and how long it was after the one before it */
    int64_t since_ns;         /* it has looked without a break since then */
} tcsi_presence_watch;

/* What happened to a series by one row or tick. */
enum { TCSI_PRESENCE_NEWS_MAX = 8 };
typedef struct tcsi_presence_news {
    struct tcsi_presence_item {
        tcsi_live_kind kind;
        tcsi_live_state state;
        int64_t begin_ns, time_ns; /* since when, and when it opened or ended: by stamps of STUCK and CADENCE, by receipt of the others */
        double value, usual;  /* LATE: lag in s; CADENCE: step in s; ABSENCE, STALE: usual gap in s; STUCK: the value */
    } items[TCSI_PRESENCE_NEWS_MAX];
    size_t count;
} tcsi_presence_news; /* begins with zeros */

static inline bool tcsi_presence_is_open(const tcsi_presence *presence, tcsi_live_kind kind)
{
    return presence->open >> kind & 1;
}

/* A row came, and outcome became of it.  newest_ns: the newest stamp before it, INT64_MIN: none. */
typedef struct tcsi_presence_row {
    int64_t time_ns, receive_ns, newest_ns;
    tcsi_outcome outcome;
} tcsi_presence_row;
void tcsi_presence_push(tcsi_presence *presence, const tcsi_presence_policy *policy, const tcsi_presence_row *row,
                        tcsi_presence_news *news);
/* Its value, if it is one to judge; last: the one before it, which has_last. */
void tcsi_presence_value(tcsi_presence *presence, const tcsi_presence_policy *policy, const tcsi_presence_row *row, double value,
                         double last, bool has_last, tcsi_presence_news *news);

/* A row of the past, newer than newest_ns, which is that of the one before it: what steps are usual, and how often values stay the same.
 * It was not received: nothing opens. */
void tcsi_presence_teach(tcsi_presence *presence, const tcsi_presence_row *row, double value, double last, bool has_last);

void tcsi_presence_look(tcsi_presence_watch *watch, int64_t now_ns);
/* newest_ns: its newest stamp. */
void tcsi_presence_tick(tcsi_presence *presence, const tcsi_presence_policy *policy, const tcsi_presence_watch *watch, int64_t newest_ns,
                        tcsi_presence_news *news);

/* Its step in rows per second by stamps; 0: not known, or it has ended. */
double tcsi_presence_rate(const tcsi_presence *presence);
/* The range of steps that is usual, in seconds. */
void tcsi_presence_steps(const tcsi_presence *presence, double *ret_low_s, double *ret_high_s);

void tcsi_presence_persist(tcsi_presence *presence, tcsi_codec *codec);
void tcsi_presence_watch_persist(tcsi_presence_watch *watch, tcsi_codec *codec);

#endif
