/* tests/simulation/simulation.c -- histories of the whole service, each from one seed: what may go wrong in days, in milliseconds.
 *
 * Producers send rows, twice, out of order, and again when an answer was lost; the clock jumps; the power goes at any operation of the
 * disk; the disk fills up and the store fails, and both come back; receivers hang, refuse the connection, take a message and never say
 * so, for an hour at times; the deep layer answers late, twice, or never; people change settings.  Then everything heals, and this must hold:
 *
 *     1. A request that was acknowledged is in the journal, each time that it was; one that was refused is not.
 *     2. No row is taken twice; each row has the outcome that the rows before it in the journal give it.
 *     3. The state, every episode, incident and entry of the audit log are those of a service that was never stopped and reads the same
 *        journal: byte for byte.
 *     4. Every message that this service would have sent was delivered, those of an episode in their order, and none of an episode that
 *        was not in the store at that moment.
 *     5. The service takes rows and ticks again, by itself, within one life.
 *
 * world.h has the parts.  One thread decides everything, and waits for those of the service after each step, but while the store is away
 * for long.  So a seed gives the same history each time.
 *
 * usage: simulation [--seed N] [--count N] [--steps N] [--jobs N] [--seconds S] [--first] [--verbose]
 * Prints TAP.  --first: no more than the first that fails, and that as it is.  SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a history ---- */

static void remove_files(const char *folder)
{
    char path[2 * FOLDER_SIZE];
    DIR *names = opendir(folder);
    for (struct dirent *entry; names && (entry = readdir(names));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') unlink(path);
    }
    if (names) closedir(names);
    rmdir(folder);
}

static void make_folders(world *w)
{
    snprintf(w->folder, sizeof w->folder, "%s/tocsin-simulation-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(w->folder)) abort();
    snprintf(w->journal, sizeof w->journal, "%.200s/journal", w->folder);
    snprintf(w->archive, sizeof w->archive, "%.200s/archive", w->folder);
    snprintf(w->whole, sizeof w->whole, "%.200s/whole", w->folder);
    snprintf(w->store, sizeof w->store, "%.200s/tocsin.db", w->folder);
    if (mkdir(w->journal, 0700) != 0 || mkdir(w->archive, 0700) != 0 || mkdir(w->whole, 0700) != 0) abort();
}

static void remove_folders(const world *w)
{
    remove_files(w->journal);
    remove_files(w->archive);
    remove_files(w->whole);
    remove_files(w->folder);
}

static void begin_world(world *w, uint64_t seed, size_t step_max)
{
    static tcsi_deliver_settings settings;
    static const tcsi_receiver receivers[SIM_RECEIVERS] = {
        [HOOK] = { .name = "hook", .kind = TCSI_RECEIVER_WEBHOOK, .suspected = true, .timeout_ns = INT64_C(10000000000),
                   .retry_ns_max = INT64_C(300000000000), .resend_ns = INT64_C(60000000000) },
        [ALERTMANAGER] = { .name = "am", .kind = TCSI_RECEIVER_ALERTMANAGER, .timeout_ns = INT64_C(10000000000),
                           .retry_ns_max = INT64_C(300000000000), .resend_ns = INT64_C(60000000000) },
    };
    memset(w, 0, sizeof *w);
    memcpy(settings.receivers, receivers, sizeof receivers);
    settings.receiver_count = SIM_RECEIVERS;
    settings.escalate_after_ns = seed % 2 ? 60 * SIM_SECOND_NS : 0;
    settings.tells_episodes = true;
    w->seed = seed;
    w->rng = tcsi_rng_make(seed, 1);
    w->step_count = 10 + tcsi_rng_below(&w->rng, tcsi_rng_uniform(&w->rng) < 0.08 ? STEPS_MAX : 30);
    if (step_max && step_max < w->step_count) w->step_count = step_max;
    make_folders(w);
    w->plan = (sim_plan){ .journal = w->journal, .store = w->store, .settings = &settings, .alarms_per_s = 0.05,
                          .ticks_a_snapshot = 4 + tcsi_rng_below(&w->rng, 40), };
    sim_begin(w);
}

static void live_through(world *w, uint64_t seed, size_t step_max)
{
    begin_world(w, seed, step_max);
    for (size_t i = 0; i < w->step_count && !w->failure[0]; i++) sim_step(w);
    if (!w->failure[0]) sim_heal(w);
    if (!w->failure[0]) sim_judge(w);
    sim_end(w);
    remove_folders(w);
}

/* ---- many ---- */

typedef struct totals {
    size_t history_count, failed_count, life_count, kill_count, outage_count, hour_count, delivery_count, action_count, answer_count;
    long operations;
} totals;

static uint64_t seed_now;
enum { HISTORY_S_MAX = 120 }; /* some take a second under a sanitizer */

static void on_abort(int number)
{
    char text[128];
    const int size = snprintf(text, sizeof text, "# %s; again: simulation --seed %llu --count 1\n",
                              number == SIGALRM ? "it hangs" : "stopped by itself", (unsigned long long)seed_now);
    if (write(1, text, (size_t)size) != size) _exit(3);
    signal(number, SIG_DFL);
    raise(number);
}

/* The fewest steps after which it fails: what fails after many mostly failed long before. */
static size_t shorten(world *w, uint64_t seed, size_t step_count)
{
    size_t works = 0, fails = step_count;
    while (fails - works > 1) {
        const size_t middle = works + (fails - works) / 2;
        live_through(w, seed, middle);
        if (w->failure[0]) fails = middle;
        else works = middle;
    }
    return fails;
}

static void report(world *w, uint64_t seed, bool is_shortened)
{
    char failure[sizeof w->failure];
    snprintf(failure, sizeof failure, "%s", w->failure);
    printf("# seed %llu: %s\n", (unsigned long long)seed, failure);
    if (is_shortened)
        printf("# again: simulation --seed %llu --count 1 --steps %zu\n", (unsigned long long)seed, shorten(w, seed, STEPS_MAX + 20));
    fflush(stdout);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct order {
    uint64_t seed;
    size_t count, step_max, jobs;
    double seconds;
    bool is_verbose, ends_at_first;
} order;

/* Every jobs-th seed from the job-th on. */
static void run(totals *t, const order *o, size_t job)
{
    world *w = malloc(sizeof *w);
    const double begin_s = seconds_now();
    const size_t failed_max = o->ends_at_first ? 1 : 2;
    if (!w) abort();
    for (uint64_t s = o->seed + job; s < o->seed + o->count && t->failed_count < failed_max; s += o->jobs) {
        if (seconds_now() - begin_s >= o->seconds) break;
        seed_now = s;
        alarm(HISTORY_S_MAX);
        live_through(w, s, o->step_max);
        t->history_count++;
        t->life_count += w->life_count;
        t->kill_count += w->kill_count;
        t->outage_count += w->outage_count;
        t->hour_count += w->hour_count;
        t->answer_count += w->answer_count;
        t->delivery_count += w->delivery_count;
        t->action_count += w->action_count;
        t->operations += sim_disk_operations();
        if (o->is_verbose)
            printf("# seed %llu: %zu lives, %zu kills, %zu deliveries, %ld operations %s\n", (unsigned long long)s, w->life_count,
                   w->kill_count, w->delivery_count, sim_disk_operations(), w->failure);
        if (!w->failure[0]) continue;
        t->failed_count++;
        report(w, s, !o->ends_at_first);
    }
    free(w);
}

/* Each job in a process of its own: a history has the process's clock and SQLite's disk for itself. */
static bool run_jobs(totals *t, const order *o)
{
    int ends[2];
    bool is_whole = pipe(ends) == 0;
    fflush(stdout);
    for (size_t job = 0; is_whole && job < o->jobs; job++) {
        const pid_t child = fork();
        if (child < 0) is_whole = false;
        if (child != 0) continue;
        totals own = { 0 };
        run(&own, o, job);
        fflush(stdout);
        _exit(write(ends[1], &own, sizeof own) == sizeof own ? 0 : 3);
    }
    close(ends[1]);
    for (int status; wait(&status) > 0;) is_whole &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
    for (totals own; read(ends[0], &own, sizeof own) == sizeof own;) {
        t->history_count += own.history_count;
        t->failed_count += own.failed_count;
        t->life_count += own.life_count;
        t->kill_count += own.kill_count;
        t->outage_count += own.outage_count;
        t->hour_count += own.hour_count;
        t->answer_count += own.answer_count;
        t->delivery_count += own.delivery_count;
        t->action_count += own.action_count;
        t->operations += own.operations;
    }
    return is_whole;
}

static bool parse(int argc, char **argv, order *o)
{
    for (int i = 1; i < argc; i++) {
        const bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--verbose") == 0) o->is_verbose = true;
        else if (strcmp(argv[i], "--first") == 0) o->ends_at_first = true;
        else if (strcmp(argv[i], "--seed") == 0 && has_value) o->seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--count") == 0 && has_value) o->count = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--steps") == 0 && has_value) o->step_max = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--jobs") == 0 && has_value) o->jobs = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && has_value) o->seconds = strtod(argv[++i], NULL);
        else return false;
    }
    return o->jobs > 0 && o->jobs <= 1024;
}

int main(int argc, char **argv)
{
    order o = { .seed = 1, .count = 1000, .jobs = 1, .seconds = 1e9 };
    totals t = { 0 };
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: %s [--seed N] [--count N] [--steps N] [--jobs N] [--seconds S] [--first] [--verbose]\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    signal(SIGALRM, on_abort);
    tcsi_clock_set(&sim_clock);
    sim_disk_install();
    const bool is_whole = run_jobs(&t, &o);
    printf("# %zu histories from seed %llu: %zu lives, %zu times the power went, %zu times the store was away for long, "
           "%zu hours without a receiver, %zu messages delivered, %zu actions, %zu answers of the deep layer, %ld operations of the disk\n",
           t.history_count, (unsigned long long)o.seed, t.life_count, t.kill_count, t.outage_count, t.hour_count, t.delivery_count,
           t.action_count, t.answer_count, t.operations);
    const bool is_fine = is_whole && t.failed_count == 0 && t.history_count > 0;
    printf("%s 1 - whatever happens, nothing acknowledged is lost, and everything follows from the journal\n1..1\n",
           is_fine ? "ok" : "not ok");
    return is_fine ? 0 : 1;
}
