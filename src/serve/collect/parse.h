/* serve/collect/parse.h -- from the text of the kernel's files to figures.  Pure functions: no file is opened here.
 *
 * Kernels differ: older ones have fewer columns, newer ones more, and lines nobody knew.  So each reader takes what it knows by name
 * or by the column where it has always stood, leaves a figure out when its column is missing or no number, and passes over the rest.
 * A line without its line feed is not read: the file ended before the line did.  No input makes a reader fail or look outside of it;
 * the answer is whether the text held any of its figures.  Threads: reentrant. */
#ifndef TCS_SERVE_COLLECT_PARSE_H
#define TCS_SERVE_COLLECT_PARSE_H

#include "serve/collect/figures.h"

typedef struct tcsi_collect_options {
    bool per_core;        /* processor time of each core instead of all together */
    double ticks_per_s;   /* of processor time in /proc/stat: sysconf(_SC_CLK_TCK) */
} tcsi_collect_options;

typedef bool (*tcsi_collect_parse)(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);

bool tcsi_collect_stat(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_loadavg(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_meminfo(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_vmstat(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_diskstats(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_net_dev(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_pressure_cpu(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_pressure_io(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_pressure_memory(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);
bool tcsi_collect_file_nr(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures);

/* ---- file systems ---- */

enum { TCSI_MOUNT_COUNT_MAX = 256, TCSI_MOUNT_TEXT_SIZE = 256 };

typedef struct tcsi_mount {
    char device[TCSI_MOUNT_TEXT_SIZE], type[32], point[TCSI_MOUNT_TEXT_SIZE];
    uint32_t major, minor;
    bool is_readonly;
} tcsi_mount;

/* The file systems worth a figure, out of /proc/self/mountinfo: not those of the kernel itself, nor those that another machine
 * keeps, whose answer may never come.  A device mounted in several places stands once, at the shortest path.  Returns their number, at
 * most TCSI_MOUNT_COUNT_MAX. */
size_t tcsi_collect_mounts(const char *text, size_t size, tcsi_mount *ret_mounts);

#endif
