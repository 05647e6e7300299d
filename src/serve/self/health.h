/* serve/self/health.h -- whether this process can do its work, and if not, which part of it cannot and why.
 * Parts register a check; /readyz runs them all.  A check must answer at once: it looks at what its part knows of itself.  A part that
 * others can do without degrades the process when it fails, and leaves it ready.
 * Threads: add before the server starts; checks are then run from any thread. */
#ifndef TCS_SERVE_SELF_HEALTH_H
#define TCS_SERVE_SELF_HEALTH_H

#include "base/json.h"

enum { TCSI_HEALTH_CHECKS_MAX = 32, TCSI_HEALTH_REASON_SIZE = 200 };

/* true: fine.  Otherwise writes why, for people. */
typedef bool (*tcsi_health_check)(void *context, char ret_reason[TCSI_HEALTH_REASON_SIZE]);

typedef struct tcsi_health {
    struct {
        const char *name;
        tcsi_health_check check;
        void *context;
        bool is_spare;
    } checks[TCSI_HEALTH_CHECKS_MAX];
    size_t check_count;
} tcsi_health;

void tcsi_health_add(tcsi_health *health, const char *name, tcsi_health_check check, void *context); /* asserts that there is room */
/* Likewise, of a part that the process does its work without. */
void tcsi_health_add_spare(tcsi_health *health, const char *name, tcsi_health_check check, void *context);
/* Runs all; writes {"checks":[{"name","ok","reason"}],"ready":...,"degraded":...}.  Returns whether all are fine that are needed. */
bool tcsi_health_run(const tcsi_health *health, tcsi_json_writer *writer);

#endif
