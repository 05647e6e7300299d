/* simulate/series.h -- labelled series of one channel for training, for stress tests and for `tocsin simulate`.
 * A family of normal behaviour (normal.h), rare events of eighteen kinds (inject.h), and a scenario that says how they mix.
 * A pure function of its options: the same seed and stream give the same bits on any number of threads.  Threads: reentrant. */
#ifndef TCS_SIMULATE_SERIES_H
#define TCS_SIMULATE_SERIES_H

#include "series/frame.h"
#include "simulate/event.h"
#include "simulate/inject.h"
#include "simulate/normal.h"

typedef enum tcsi_scenario {
    TCSI_SCENARIO_MIXED,   /* any family, 2,000..8,000 rows, one to seven events of any kind, often all of one kind */
    TCSI_SCENARIO_SERVICE, /* days of a service, 3,000..10,000 rows, one to eleven short events */
    TCSI_SCENARIO_SUBTLE,  /* long, clean, repeating, 5,000..14,000 rows, one event that stays inside the usual range */
    TCSI_SCENARIO_WIDE,    /* all families evenly, 1,000..20,000 rows, events of one row to a seventh of the rows, at times the same
                              again and again, at times labelled generously, mostly among incidents that are usual there */
    TCSI_SCENARIO_COUNT,
    TCSI_SCENARIO_ANY = TCSI_SCENARIO_COUNT, /* drawn: half mixed, three tenths service, two tenths subtle; never wide */
} tcsi_scenario;

const char *tcsi_scenario_name(tcsi_scenario scenario); /* "mixed", "service", "subtle", "wide", "any" */
bool tcsi_scenario_by_name(const char *name, tcsi_scenario *ret_scenario);

enum { TCSI_SERIES_EVENT_COUNT_MAX = 1000 };

typedef struct tcsi_series_options {
    uint64_t seed, stream;   /* stream: the number of the series in a set */
    tcsi_scenario scenario;
    tcsi_family family;      /* ANY: drawn as the scenario likes */
    tcsi_event_kind kind;    /* ANY: drawn as the scenario likes */
    size_t row_count;        /* 200..10^8, or 0: drawn */
    size_t event_count;      /* at most TCSI_SERIES_EVENT_COUNT_MAX, or 0: drawn.  Fewer where they would come too close */
    bool is_calm;            /* no events: the same normal series */
} tcsi_series_options;

typedef struct tcsi_series_simulation {
    tcsi_frame *frame;       /* one channel, "value", a row a minute from 2026-01-05, labels */
    tcsi_event *events;      /* in order of onset, never overlapping */
    size_t event_count;      /* may be 0 when no event could be made visible */
    size_t train_row_count;  /* rows before the first of any event could begin */
    size_t period;           /* rows; of the family, as far as it has one */
    tcsi_scenario scenario;
    tcsi_family family;
} tcsi_series_simulation;

/* E_INVALID: options out of range; E_MEMORY.  Release with tcsi_series_simulation_deinit. */
tcs_status tcsi_series_simulate(const tcsi_series_options *options, tcsi_series_simulation *ret_simulation, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_series_simulation_deinit(tcsi_series_simulation *simulation); /* accepts a zeroed struct */

#endif
