/* serve/collect/collect.c -- see collect.h.  One row per file of the kernel's; all are read in the same way, by pread from their
 * beginning, which makes the kernel write them anew.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/collect/collect.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "knowledge/expression.h"
#include "serve/collect/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_SIZE_FIRST = 1 << 16, TEXT_SIZE_MAX = 1 << 24, PATH_SIZE = 4096 };

typedef struct source {
    const char *name, *file;
    tcsi_collect_parse parse; /* NULL: mountinfo */
} source;

static const source SOURCES[] = {
    { "stat", "stat", tcsi_collect_stat },
    { "loadavg", "loadavg", tcsi_collect_loadavg },
    { "meminfo", "meminfo", tcsi_collect_meminfo },
    { "vmstat", "vmstat", tcsi_collect_vmstat },
    { "diskstats", "diskstats", tcsi_collect_diskstats },
    { "filesystem", "self/mountinfo", NULL },
    { "netdev", "net/dev", tcsi_collect_net_dev },
    { "pressure_cpu", "pressure/cpu", tcsi_collect_pressure_cpu },
    { "pressure_io", "pressure/io", tcsi_collect_pressure_io },
    { "pressure_memory", "pressure/memory", tcsi_collect_pressure_memory },
    { "filefd", "sys/fs/file-nr", tcsi_collect_file_nr },
};

struct tcsi_collector {
    tcsi_collect_options options;
    char *proc;
    bool is_asked[TCS_COUNT(SOURCES)], is_found[TCS_COUNT(SOURCES)];
    int files[TCS_COUNT(SOURCES)]; /* -1: not open */
    char *text;
    size_t capacity;
    tcsi_mount mounts[TCSI_MOUNT_COUNT_MAX];
    tcsi_figures figures;
};

/* ---- life ---- */

static tcs_status choose(tcsi_collector *self, const char *only, tcs_error *err)
{
    const char *names[TCS_COUNT(SOURCES)];
    for (size_t i = 0; i < TCS_COUNT(SOURCES); i++) {
        names[i] = SOURCES[i].name;
        self->is_asked[i] = !only;
    }
    for (const char *at = only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        char name[64];
        size_t length = strcspn(at, ","), i = 0;
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), at);
        while (i < TCS_COUNT(SOURCES) && strcmp(names[i], name) != 0) i++;
        if (i < TCS_COUNT(SOURCES)) {
            self->is_asked[i] = true;
            continue;
        }
        const char *nearest = tcsi_text_nearest(name, names, TCS_COUNT(SOURCES));
        return tcsi_fail(err, TCS_E_INVALID, "no figures '%s'%s%s; expected some of stat, loadavg, meminfo, vmstat, diskstats, filesystem, "
                         "netdev, pressure_cpu, pressure_io, pressure_memory, filefd", name, nearest ? ", did you mean " : "",
                         nearest ? nearest : "");
    }
    return TCS_OK;
}

tcs_status tcsi_collector_create(const tcsi_collector_options *options, tcsi_collector **ret_collector, tcs_error *err)
{
    const long ticks = sysconf(_SC_CLK_TCK);
    tcsi_collector *self = TCSI_NEW(tcsi_collector);
    if (!self) return tcsi_fail_memory(err, "a collector");
    for (size_t i = 0; i < TCS_COUNT(SOURCES); i++) self->files[i] = -1;
    self->options = (tcsi_collect_options){ .per_core = options->per_core, .ticks_per_s = ticks > 0 ? (double)ticks : 100 };
    tcsi_figures_init(&self->figures);
    self->proc = tcsi_strdup(options->proc ? options->proc : "/proc");
    self->text = tcsi_alloc(TEXT_SIZE_FIRST);
    self->capacity = TEXT_SIZE_FIRST;
    tcs_status status = self->proc && self->text ? choose(self, options->only, err) : tcsi_fail_memory(err, "a collector");
    if (status == TCS_OK) *ret_collector = self;
    else tcsi_collector_destroy(self);
    return status;
}

void tcsi_collector_destroy(tcsi_collector *collector)
{
    if (!collector) return;
    for (size_t i = 0; i < TCS_COUNT(SOURCES); i++)
        if (collector->files[i] >= 0) close(collector->files[i]);
    tcsi_figures_deinit(&collector->figures);
    tcsi_free(collector->text);
    tcsi_free(collector->proc);
    tcsi_free(collector);
}

/* ---- one tick ---- */

static bool open_file(tcsi_collector *self, size_t index)
{
    char path[PATH_SIZE];
    if (self->files[index] >= 0) return true;
    int length = snprintf(path, sizeof path, "%s/%s", self->proc, SOURCES[index].file);
    if (length < 0 || (size_t)length >= sizeof path) return false;
    self->files[index] = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe in its place shall not make us wait */
    return self->files[index] >= 0;
}

/* false: the text has all that memory allows. */
static bool grow_text(tcsi_collector *self)
{
    if (self->capacity >= TEXT_SIZE_MAX) return false;
    char *text = tcsi_realloc_array(self->text, 2 * self->capacity, 1);
    if (!text) return false;
    self->text = text;
    self->capacity *= 2;
    return true;
}

/* The whole file as it is now; the end of one beyond every bound is left away.  -1: it cannot be read. */
static ssize_t read_file(tcsi_collector *self, size_t index)
{
    size_t size = 0;
    if (!open_file(self, index)) return -1;
    for (;;) {
        if (size == self->capacity && !grow_text(self)) return (ssize_t)size;
        ssize_t got = pread(self->files[index], self->text + size, self->capacity - size, (off_t)size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) { /* it went away: opened anew at the next tick */
            close(self->files[index]);
            self->files[index] = -1;
            return -1;
        }
        if (got == 0) return (ssize_t)size;
        size += (size_t)got;
    }
}

static tcsi_figure_label label_of(const char *text)
{
    return (tcsi_figure_label){ text, strnlen(text, TCSI_MOUNT_TEXT_SIZE) };
}

static bool set_file_system(const tcsi_mount *mount, tcsi_figures *figures)
{
    struct statvfs info;
    const tcsi_figure_label labels[] = { label_of(mount->device), label_of(mount->type), label_of(mount->point) };
    if (statvfs(mount->point, &info) != 0) return false;
    const double unit = (double)(info.f_frsize ? info.f_frsize : info.f_bsize);
    if (info.f_blocks == 0) return false; /* the kernel's own: it has no size */
    tcsi_figures_set(figures, TCSI_FIGURE_FS_SIZE, labels, unit * (double)info.f_blocks);
    tcsi_figures_set(figures, TCSI_FIGURE_FS_FREE, labels, unit * (double)info.f_bfree);
    tcsi_figures_set(figures, TCSI_FIGURE_FS_AVAILABLE, labels, unit * (double)info.f_bavail);
    tcsi_figures_set(figures, TCSI_FIGURE_FS_FILES, labels, (double)info.f_files);
    tcsi_figures_set(figures, TCSI_FIGURE_FS_FILES_FREE, labels, (double)info.f_ffree);
    tcsi_figures_set(figures, TCSI_FIGURE_FS_READONLY, labels, mount->is_readonly ? 1 : 0);
    return true;
}

static bool set_file_systems(tcsi_collector *self, size_t size)
{
    const size_t count = tcsi_collect_mounts(self->text, size, self->mounts);
    bool found = false;
    for (size_t i = 0; i < count; i++) found |= set_file_system(&self->mounts[i], &self->figures);
    return found;
}

const tcsi_figures *tcsi_collector_tick(tcsi_collector *collector)
{
    tcsi_figures_begin(&collector->figures, tcsi_clock_monotonic_ns());
    for (size_t i = 0; i < TCS_COUNT(SOURCES); i++) {
        if (!collector->is_asked[i]) continue;
        const tcsi_collect_parse parse = SOURCES[i].parse;
        const ssize_t size = read_file(collector, i);
        bool found = size >= 0;
        if (found && parse) found = parse(collector->text, (size_t)size, &collector->options, &collector->figures);
        else if (found) found = set_file_systems(collector, (size_t)size);
        collector->is_found[i] = found;
        const tcsi_figure_label name = label_of(SOURCES[i].name);
        tcsi_figures_set(&collector->figures, TCSI_FIGURE_COLLECTED, &name, found ? 1 : 0);
    }
    return &collector->figures;
}

size_t tcsi_collector_absent(const tcsi_collector *collector, char *ret_text, size_t size)
{
    size_t count = 0, used = 0;
    if (size > 0) *ret_text = 0;
    for (size_t i = 0; i < TCS_COUNT(SOURCES); i++) {
        if (!collector->is_asked[i] || collector->is_found[i]) continue;
        if (used < size) used += (size_t)snprintf(ret_text + used, size - used, "%s%s", count ? ", " : "", SOURCES[i].name);
        count++;
    }
    return count;
}

/* ---- when ---- */

tcs_status tcsi_collector_interval(const char *text, int64_t *ret_ns, tcs_error *err)
{
    int64_t ns;
    if (!tcsi_duration_parse(text, &ns) || ns < 100000000 || ns > INT64_C(3600000000000))
        return tcsi_fail(err, TCS_E_INVALID, "%s: expected a time from 100ms to 1h, such as 1s", text);
    *ret_ns = ns;
    return TCS_OK;
}

void tcsi_collector_wait(int64_t interval_ns)
{
    const int64_t left = interval_ns - tcsi_clock_wall_ns() % interval_ns;
    const struct timespec pause = { .tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000) };
    (void)nanosleep(&pause, NULL);
}
