/* tests/simulation/world.h -- what a history is made of: a service, those who send to it and hear from it, and what is known of both.
 *
 *     simulation.c: one seed after the other ──> history.c: what happens, step by step ──> verdict.c: what must hold in the end
 *                                                worker.c: what the deep layer answers
 *
 * Threads: one user; the service's own are waited for after each step. */
#ifndef TCS_TEST_SIMULATION_WORLD_H
#define TCS_TEST_SIMULATION_WORLD_H

#include "disk.h"
#include "life.h"

#include "base/clock.h"
#include "serve/words.h"

enum { PRODUCERS = 3, SERIES = 8, ROWS = 16, BODIES = 300, PASTS = 12, UNSURE_MAX = 64, DELIVERIES_MAX = 20000, STEPS_MAX = 300 };
enum { FOLDER_SIZE = 256, HOOK = 0, ALERTMANAGER = 1 };

#define SIM_SECOND_NS INT64_C(1000000000)
#define SIM_START_NS INT64_C(1700000000000000000)

typedef struct fate {
    uint16_t kept, unsure; /* times that it was acknowledged, and that nobody can know whether it was kept */
} fate;

typedef enum receiver_mood { WELL, FAILING, HANGING, FORGETFUL, MOOD_COUNT } receiver_mood;

typedef struct delivery {
    char episode[TCSI_EPISODE_ID_SIZE];
    uint32_t revision;
    uint8_t receiver;
} delivery;

typedef struct world {
    uint64_t seed;
    size_t step_count;
    tcsi_rng rng;
    sim_plan plan;
    sim_life life;
    bool is_alive, is_store_away, is_healed, has_deep;
    char folder[FOLDER_SIZE], journal[FOLDER_SIZE], archive[FOLDER_SIZE], store[FOLDER_SIZE], whole[FOLDER_SIZE];
    fate fates[PRODUCERS][BODIES + PASTS], actions[BODIES]; /* behind the others: of rows of the past */
    size_t next[PRODUCERS], next_past[PRODUCERS], action_count;
    fate *shaky[UNSURE_MAX]; /* refused by a disk that failed to write: not kept, unless the power goes before the next success */
    size_t shaky_count;
    receiver_mood moods[SIM_RECEIVERS];
    int64_t mood_until_ns[SIM_RECEIVERS];
    int64_t deliver_ns;      /* the clock of those who deliver never goes back */
    delivery deliveries[DELIVERIES_MAX];
    size_t delivery_count;
    size_t kill_count, life_count, outage_count, answer_count, hour_count;
    char failure[600];
} world;

/* The first failure stays. */
void sim_fail(world *w, const char *format, ...) TCS_PRINTF(2, 3);
/* Request n of a producer, those from BODIES on of rows of the past: a function of seed, producer and n alone. */
void sim_make_body(const world *w, size_t producer, size_t n, tcsi_buffer *out);

/* ---- history.c ---- */
extern const tcsi_clock sim_clock; /* that stands still until a step is made */
/* plan, folders and rng are there already. */
void sim_begin(world *w);
void sim_step(world *w);
/* Everything has healed; the service is ready, and says what it has to say. */
void sim_heal(world *w);
void sim_end(world *w);

/* ---- worker.c ---- */
/* As the live series call it; from their threads. */
void sim_worker_ask(void *self, const tcsi_deep_question *asked);
void sim_worker_forget(void); /* the questions so far; nobody may be asking */
/* Answers some of them; nobody may be asking.  true: a record of them is durable. */
bool sim_worker_answer(world *w, int64_t now_ns);

/* ---- verdict.c ---- */
void sim_judge(world *w);

#endif
