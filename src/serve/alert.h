/* serve/alert.h -- an alert: an episode, as it is told to somebody.
 *
 * The same struct is what the part that decides hands over, what the durable outbox keeps (as JSON) and what every receiver's message is
 * made from.  Its identity is the series and the onset; everything else may change while it lasts.
 * Threads: plain data. */
#ifndef TCS_SERVE_ALERT_H
#define TCS_SERVE_ALERT_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/json.h"

typedef enum tcsi_alert_state {
    TCSI_ALERT_SUSPECTED,
    TCSI_ALERT_CONFIRMED,
    TCSI_ALERT_RESOLVED,  /* it was confirmed, and is over */
    TCSI_ALERT_DISMISSED, /* it was over before it was confirmed, or somebody said that it is nothing */
    TCSI_ALERT_STATE_COUNT
} tcsi_alert_state;

extern const char *const tcsi_alert_state_names[TCSI_ALERT_STATE_COUNT]; /* "suspected" */

enum { TCSI_ALERT_TAG_COUNT_MAX = 64, TCSI_ALERT_TEXT_SIZE_MAX = 1 << 14, TCSI_ALERT_SIZE_MAX = 1 << 18, TCSI_ALERT_ID_SIZE = 33 };

typedef struct tcsi_alert_tag {
    const char *name, *value;
} tcsi_alert_tag;

typedef struct tcsi_alert {
    const tcsi_alert_tag *tags;    /* of the series, sorted by name; the metric's own name under __name__ */
    size_t tag_count;
    const char *episode_id;        /* unique for the episode */
    const char *incident_id;       /* of the group that it belongs to; "": none */
    tcsi_alert_state state;
    uint32_t revision;             /* 1, 2, ...: how often it was told anew */
    int64_t starts_ns, ends_ns;    /* ends_ns 0: it lasts */
    int64_t updated_ns;            /* when it came to be in this state */
    double severity;               /* 0..100: 50 just reaches the alarm budget, each 10 more is ten times rarer */
    double value;                  /* what was seen at the peak; NaN: not told */
    double expected_lower, expected_upper; /* what would have been normal; NaN: not told */
    const char *summary;           /* a sentence */
    const char *description;       /* several; "": none */
    const char *url;               /* where to look at it; "": nowhere */
    const char *trace;             /* W3C traceparent of what led to it; "": none */
} tcsi_alert;

static inline bool tcsi_alert_is_over(const tcsi_alert *alert)
{
    return alert->state == TCSI_ALERT_RESOLVED || alert->state == TCSI_ALERT_DISMISSED;
}

const char *tcsi_alert_tag_value(const tcsi_alert *alert, const char *name); /* "": it has none */

/* The series as text: name{a="b",c="d"}. */
tcs_status tcsi_alert_write_series(const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

/* 32 hexadecimal digits of a SHA-256 over series, onset and, unless it is COUNT, state: the same wherever and however often it is made. */
void tcsi_alert_id(const tcsi_alert *alert, tcsi_alert_state state, char ret_id[TCSI_ALERT_ID_SIZE]);

/* One JSON object, as the outbox and webhooks have it: docs/reference/alert.md lists its keys. */
void tcsi_alert_write(const tcsi_alert *alert, tcsi_json_writer *writer);
/* All texts live in arena.  E_FORMAT: it is not what tcsi_alert_write writes. */
tcs_status tcsi_alert_read(const char *text, size_t size, tcsi_arena *arena, tcsi_alert *ret_alert, tcs_error *err) TCS_WARN_UNUSED;

#endif
