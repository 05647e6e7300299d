/* serve/collect/collect.h -- this host's figures, tick after tick: opens the kernel's files once, reads each again at every tick.
 *
 * A file that is not there (a container without /proc/pressure, a kernel without it) makes its figures absent, and
 * node_scrape_collector_success{collector="pressure_cpu"} says so with 0; it is tried again at every tick.
 * After the first tick nothing is allocated unless a device, file system or core appears that was never seen.
 * File systems are asked for their sizes by statvfs, only those that this kernel keeps itself: see tcsi_collect_mounts.
 * Threads: one user per collector. */
#ifndef TCS_SERVE_COLLECT_COLLECT_H
#define TCS_SERVE_COLLECT_COLLECT_H

#include "serve/collect/figures.h"

typedef struct tcsi_collector_options {
    const char *proc;  /* where the kernel's files are; NULL: /proc */
    bool per_core;     /* processor time of each core instead of all together */
    const char *only;  /* names of collectors, parted by commas; NULL: all */
} tcsi_collector_options;

typedef struct tcsi_collector tcsi_collector;

/* E_INVALID: only names none of the collectors; E_MEMORY. */
tcs_status tcsi_collector_create(const tcsi_collector_options *options, tcsi_collector **ret_collector, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_collector_destroy(tcsi_collector *collector); /* accepts NULL */

/* Reads everything once more.  The answer belongs to the collector and lives until the next tick. */
const tcsi_figures *tcsi_collector_tick(tcsi_collector *collector);

/* How many of the collectors found nothing in the last tick; writes their names into ret_text, parted by commas. */
size_t tcsi_collector_absent(const tcsi_collector *collector, char *ret_text, size_t size);

/* "1s", "500ms", "2min": from a tenth of a second to an hour. */
tcs_status tcsi_collector_interval(const char *text, int64_t *ret_ns, tcs_error *err) TCS_WARN_UNUSED;

/* Waits until the next whole multiple of interval_ns since 1970, so that hosts are read at the same moments and a slow tick
 * delays none after it.  Returns early when a signal arrives. */
void tcsi_collector_wait(int64_t interval_ns);

#endif
