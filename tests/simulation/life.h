/* tests/simulation/life.h -- one life of the service, wired as serve/service.c does it, but with nobody's threads deciding when: no HTTP,
 * no clockwork, and receivers that are stepped.  Threads: one user. */
#ifndef TCS_TEST_SIMULATION_LIFE_H
#define TCS_TEST_SIMULATION_LIFE_H

#include "serve/deliver/deliver.h"
#include "serve/intake.h"
#include "serve/keeper.h"

enum { SIM_RECEIVERS = 2, SIM_PARTS = 2 + TCSI_CELL_COUNT };

typedef struct sim_plan {
    const char *journal, *store;      /* store NULL: in memory, and then the journal is only read */
    const tcsi_deliver_settings *settings;
    size_t thread_count;
    double alarms_per_s;
    uint64_t ticks_a_snapshot;
    /* Of receivers; self is attempt's context. */
    void (*attempt)(void *self, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *ret_attempt);
    void *self;
    void (*ask)(void *asked, const tcsi_deep_question *question); /* of the deep layer; NULL: nobody answers */
    /* Of every row; NULL: nobody asks. */
    void (*judge)(void *judge_self, size_t worker, const tcsi_live_judged *rows, size_t count);
    void *judge_self;
} sim_plan;

typedef struct sim_life {
    tcsi_store *store, *reader, *outbox_stores[SIM_RECEIVERS];
    tcsi_outbox outboxes[SIM_RECEIVERS];
    tcsi_keeper *keeper;
    tcsi_live *live;
    tcsi_intake *intake;
    tcsi_deliver *deliver;
    uint64_t replayed;
} sim_life;

/* What fails leaves a life that can only be ended. */
tcs_status sim_life_begin(const sim_plan *plan, sim_life *ret_life, tcs_error *err);
/* In good order, as tcsi_service_stop; or as it lies there, because the disk has no power. */
void sim_life_end(sim_life *life, bool is_killed);
/* The state as of now: saved through the keeper, and read back from the store. */
tcs_status sim_life_state(sim_life *life, tcsi_buffer parts[SIM_PARTS], size_t *ret_count, tcs_error *err);

#endif
