/* serve/shard/kind.h -- what can happen to a live series, and how far an episode of it is.
 *
 *     ANOMALY   values beyond what the alarm budget leaves to chance (decide/cohort.h)
 *     ABSENCE   nothing comes any more                          }
 *     STUCK     the same value for far longer than ever before  }
 *     STALE     its sender said that it is over, and it stays so }  shard/presence.h
 *     LATE      rows come, but their stamps are far behind their receipt, or ahead of it }
 *     CADENCE   the step of its stamps has changed for good     }
 *     LIMIT     values beyond a limit that is set for it (shard/passed.h)
 *
 * SUSPECTED is what may yet turn out to be nothing, CONFIRMED what is to be told; then it is over: RESOLVED, or DISMISSED if it was never
 * confirmed. */
#ifndef TCS_SERVE_SHARD_KIND_H
#define TCS_SERVE_SHARD_KIND_H

/* Snapshots hold these numbers. */
typedef enum tcsi_live_kind {
    TCSI_LIVE_ANOMALY, TCSI_LIVE_ABSENCE, TCSI_LIVE_STUCK, TCSI_LIVE_STALE, TCSI_LIVE_LATE, TCSI_LIVE_CADENCE, TCSI_LIVE_LIMIT,
    TCSI_LIVE_KIND_COUNT
} tcsi_live_kind;
typedef enum tcsi_live_state {
    TCSI_LIVE_SUSPECTED, TCSI_LIVE_CONFIRMED, TCSI_LIVE_RESOLVED, TCSI_LIVE_DISMISSED, TCSI_LIVE_STATE_COUNT
} tcsi_live_state;
extern const char *const tcsi_live_kind_names[TCSI_LIVE_KIND_COUNT];
extern const char *const tcsi_live_state_names[TCSI_LIVE_STATE_COUNT];

#define TCSI_LIVE_KIND_CHOICES "anomaly|absence|stuck|stale|late|cadence|limit" /* for parameters of the API */

#endif
