/* simulate/pump.h -- a small water-pump plant with rare, labelled events: the data of demos, tutorials and end-to-end tests.
 * A pump with a speed drive fills a tank from which a town draws; a controller holds the level.
 * Channels: flow_in, flow_out [m3/h], tank_level [m], pressure [bar], motor_current [A], bearing_temperature [C], vibration [mm/s].
 * The same options give the same bits.  Threads: reentrant. */
#ifndef TCS_SIMULATE_PUMP_H
#define TCS_SIMULATE_PUMP_H

#include "series/frame.h"
#include "simulate/event.h"

enum { TCSI_PUMP_CHANNEL_COUNT = 7 };

/* One row per event kind: name in the code, name for people, usual length in seconds, channels that show it. */
#define TCSI_PUMP_EVENT_LIST(X)                                                                                  \
    X(CAVITATION, "cavitation", 2700, FLOW_IN, PRESSURE, MOTOR_CURRENT, VIBRATION)                               \
    X(LEAK, "leak", 14400, FLOW_IN, PRESSURE, TANK_LEVEL, MOTOR_CURRENT)                                         \
    X(STUCK_SENSOR, "stuck sensor", 7200, PRESSURE, PRESSURE, PRESSURE, PRESSURE)                                \
    X(BEARING_WEAR, "bearing wear", 129600, BEARING_TEMPERATURE, VIBRATION, BEARING_TEMPERATURE, VIBRATION)      \
    X(BLOCKED_VALVE, "blocked valve", 5400, FLOW_IN, PRESSURE, TANK_LEVEL, MOTOR_CURRENT)                        \
    X(DEMAND_SPIKE, "demand spike", 2400, FLOW_OUT, TANK_LEVEL, FLOW_IN, FLOW_OUT)

typedef struct tcsi_pump_options {
    size_t row_count;      /* rows of the plant's clock, 1..10^8; the frame has fewer when a gap is simulated */
    int64_t cadence_ns;    /* 1 s .. 1 h */
    int64_t begin_ns;      /* first stamp */
    uint64_t seed;
    bool has_events;       /* one of each kind in random order, none in the first 30 % of the rows; needs 600 rows */
    bool has_missing;      /* one value in a thousand, a short run in one channel, and one gap of whole rows */
} tcsi_pump_options;

/* Two weeks of minutes from Monday 2026-01-05, seed 1, events and missing values. */
tcsi_pump_options tcsi_pump_options_default(void);

/* A frame with times, labels (1 = inside an event), names and units, and its events in order of onset.
 * The caller destroys the frame and frees *ret_events (tcsi_free).  E_INVALID: options out of range; E_MEMORY. */
tcs_status tcsi_pump_simulate(const tcsi_pump_options *options, tcsi_frame **ret_frame, tcsi_event **ret_events, size_t *ret_event_count,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
