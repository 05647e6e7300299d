/* tests/servers/send_alerts.c -- alerts as JSON lines on standard input, to the receivers of a settings file, through a store.
 *
 * usage: send_alerts SETTINGS.yaml STORE SECONDS
 * Each line is an alert as tcsi_alert_write has it, or {"wait": SECONDS}.  After the last one it goes on for SECONDS or until nothing
 * waits.  Each attempt is a line on standard output: RECEIVER STATE REVISION OUTCOME REASON.  A store from a run before is gone on with. */
#include "base/clock.h"
#include "serve/deliver/deliver.h"
#include "serve/deliver/outbox_store.h"
#include "serve/deliver/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static tcs_error err;

static void require(tcs_status status)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "send_alerts: %s\n", err.text);
    exit(1);
}

static void observe(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, const char *id, const tcsi_attempt *attempt)
{
    (void)context;
    (void)id;
    printf("%s %s %u %s %s\n", receiver->name, tcsi_alert_state_names[alert->state], (unsigned)alert->revision,
           tcsi_attempt_outcome_names[attempt->outcome], attempt->reason);
    fflush(stdout);
}

static void pause_for(double seconds)
{
    const struct timespec pause = { .tv_sec = (time_t)seconds, .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds)) };
    nanosleep(&pause, NULL);
}

static void put_line(const char *line, const tcsi_deliver_settings *settings, const tcsi_outbox *outbox, tcsi_deliver *deliver)
{
    tcsi_arena arena;
    tcsi_alert alert;
    tcsi_arena_init(&arena, 1 << 24);
    if (strncmp(line, "{\"wait\":", 8) == 0) {
        pause_for(strtod(line + 8, NULL));
    } else {
        require(tcsi_alert_read(line, strlen(line), &arena, &alert, &err));
        for (size_t i = 0; i < settings->receiver_count; i++)
            if (tcsi_receiver_wants(&settings->receivers[i], &alert, false))
                require(tcsi_deliver_put(outbox, &settings->receivers[i], &alert, tcsi_clock_wall_ns(), tcsi_clock_wall_ns(), &err));
        tcsi_deliver_wake(deliver);
    }
    tcsi_arena_deinit(&arena);
}

static bool is_idle(const tcsi_deliver_settings *settings, const tcsi_outbox *outbox)
{
    for (size_t i = 0; i < settings->receiver_count; i++) {
        int64_t due_ns;
        require(outbox->ops->next(outbox->context, settings->receivers[i].name, &due_ns, &err));
        if (due_ns != INT64_MAX) return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static char line[1 << 18];
    tcsi_deliver_settings *settings = NULL;
    tcsi_store *stores[TCSI_RECEIVER_COUNT_MAX + 1] = { NULL };
    tcsi_outbox outboxes[TCSI_RECEIVER_COUNT_MAX];
    tcsi_deliver *deliver = NULL;
    if (argc != 4) return 2;
    require(tcsi_deliver_settings_load(argv[1], &settings, &err));
    for (size_t i = 0; i <= settings->receiver_count; i++) require(tcsi_store_open(argv[2], NULL, &stores[i], &err));
    for (size_t i = 0; i < settings->receiver_count; i++) outboxes[i] = tcsi_outbox_of_store(stores[i]);
    const tcsi_outbox own = tcsi_outbox_of_store(stores[settings->receiver_count]);
    const tcsi_deliver_options options = { .receivers = settings->receivers, .receiver_count = settings->receiver_count,
                                           .outboxes = outboxes, .seed = 1, .observe = observe };
    require(tcsi_deliver_create(&options, &deliver, &err));
    require(tcsi_deliver_start(deliver, &err));
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        put_line(line, settings, &own, deliver);
    }
    for (double left = strtod(argv[3], NULL); left > 0 && !is_idle(settings, &own); left -= 0.05) pause_for(0.05);
    const bool idle = is_idle(settings, &own);
    tcsi_deliver_destroy(deliver);
    for (size_t i = 0; i <= settings->receiver_count; i++) tcsi_store_close(stores[i]);
    tcsi_deliver_settings_destroy(settings);
    printf("%s\n", idle ? "idle" : "waiting");
    return 0;
}
