/* serve/collect/figures.h -- what is known of this host at one moment: each figure is a number with a name, labels, a kind and a unit.
 *
 * Names, labels and units are those of the Prometheus node exporter wherever the meaning is the same, so that dashboards, rules and
 * what people know by heart fit.  One table (TCSI_FIGURE_FAMILY_LIST) says name, kind, labels and help of each.
 *
 * A tick is: tcsi_figures_begin, any number of tcsi_figures_set, then the reading.  A figure that is not set in a tick is absent in
 * it, not zero.  Each remembers its value of the tick before, so that a counter is also a rate per second; a counter that fell
 * (restarted, wrapped, or a device came back) has no rate in that tick.
 *
 * Cost: figures are set in the same order tick after tick, so finding one is a comparison with the expected next; a hash table finds
 * the rest.  Memory is allocated when a figure is seen for the first time, never again.  At most TCSI_FIGURE_COUNT_MAX figures; what
 * is beyond is refused and counted.  Threads: one user per set. */
#ifndef TCS_SERVE_COLLECT_FIGURES_H
#define TCS_SERVE_COLLECT_FIGURES_H

#include "base/buffer.h"

enum { TCSI_FIGURE_COUNT_MAX = 1 << 15, TCSI_FIGURE_LABEL_COUNT_MAX = 3, TCSI_FIGURE_LABEL_SIZE_MAX = 255 };

typedef enum tcsi_figure_kind { TCSI_FIGURE_GAUGE, TCSI_FIGURE_COUNTER } tcsi_figure_kind;

/* One row per family: id, name, kind, names of up to three labels, help. */
#define TCSI_FIGURE_FAMILY_LIST(X)                                                                                                       \
    X(CPU, "node_cpu_seconds_total", COUNTER, "mode", NULL, NULL, "Time that processors spent in each mode, all cores together.")        \
    X(CPU_CORE, "node_cpu_seconds_total", COUNTER, "cpu", "mode", NULL, "Time that each processor spent in each mode.")                  \
    X(INTERRUPTS, "node_intr_total", COUNTER, NULL, NULL, NULL, "Interrupts serviced.")                                                  \
    X(SWITCHES, "node_context_switches_total", COUNTER, NULL, NULL, NULL, "Context switches.")                                           \
    X(FORKS, "node_forks_total", COUNTER, NULL, NULL, NULL, "Processes and threads started.")                                            \
    X(BOOT, "node_boot_time_seconds", GAUGE, NULL, NULL, NULL, "When the host started, in seconds since 1970.")                          \
    X(RUNNING, "node_procs_running", GAUGE, NULL, NULL, NULL, "Processes that run or could run.")                                        \
    X(BLOCKED, "node_procs_blocked", GAUGE, NULL, NULL, NULL, "Processes that wait for input or output.")                                \
    X(LOAD1, "node_load1", GAUGE, NULL, NULL, NULL, "Load, average of 1 minute.")                                                        \
    X(LOAD5, "node_load5", GAUGE, NULL, NULL, NULL, "Load, average of 5 minutes.")                                                       \
    X(LOAD15, "node_load15", GAUGE, NULL, NULL, NULL, "Load, average of 15 minutes.")                                                    \
    X(MEM_TOTAL, "node_memory_MemTotal_bytes", GAUGE, NULL, NULL, NULL, "Memory of the host.")                                           \
    X(MEM_FREE, "node_memory_MemFree_bytes", GAUGE, NULL, NULL, NULL, "Memory that nobody uses.")                                        \
    X(MEM_AVAILABLE, "node_memory_MemAvailable_bytes", GAUGE, NULL, NULL, NULL, "Memory that programs could get without swapping.")      \
    X(MEM_BUFFERS, "node_memory_Buffers_bytes", GAUGE, NULL, NULL, NULL, "Memory in buffers of block devices.")                          \
    X(MEM_CACHED, "node_memory_Cached_bytes", GAUGE, NULL, NULL, NULL, "Memory in the page cache.")                                      \
    X(MEM_ANON, "node_memory_AnonPages_bytes", GAUGE, NULL, NULL, NULL, "Memory of programs that no file stands behind.")                \
    X(MEM_SHMEM, "node_memory_Shmem_bytes", GAUGE, NULL, NULL, NULL, "Shared memory and tmpfs.")                                         \
    X(MEM_SLAB, "node_memory_Slab_bytes", GAUGE, NULL, NULL, NULL, "Memory of the kernel's own objects.")                                \
    X(MEM_DIRTY, "node_memory_Dirty_bytes", GAUGE, NULL, NULL, NULL, "Memory that waits to be written to disk.")                         \
    X(MEM_WRITEBACK, "node_memory_Writeback_bytes", GAUGE, NULL, NULL, NULL, "Memory that is being written to disk.")                    \
    X(MEM_COMMITTED, "node_memory_Committed_AS_bytes", GAUGE, NULL, NULL, NULL, "Memory promised to programs.")                          \
    X(SWAP_TOTAL, "node_memory_SwapTotal_bytes", GAUGE, NULL, NULL, NULL, "Swap space.")                                                 \
    X(SWAP_FREE, "node_memory_SwapFree_bytes", GAUGE, NULL, NULL, NULL, "Swap space that nobody uses.")                                  \
    X(SWAP_IN, "node_vmstat_pswpin", COUNTER, NULL, NULL, NULL, "Pages read from swap.")                                                 \
    X(SWAP_OUT, "node_vmstat_pswpout", COUNTER, NULL, NULL, NULL, "Pages written to swap.")                                              \
    X(FAULTS, "node_vmstat_pgfault", COUNTER, NULL, NULL, NULL, "Page faults.")                                                          \
    X(FAULTS_MAJOR, "node_vmstat_pgmajfault", COUNTER, NULL, NULL, NULL, "Page faults that read from disk.")                             \
    X(OOM_KILLS, "node_vmstat_oom_kill", COUNTER, NULL, NULL, NULL, "Processes killed for want of memory.")                              \
    X(DISK_READS, "node_disk_reads_completed_total", COUNTER, "device", NULL, NULL, "Reads completed.")                                  \
    X(DISK_READ_BYTES, "node_disk_read_bytes_total", COUNTER, "device", NULL, NULL, "Bytes read.")                                       \
    X(DISK_READ_TIME, "node_disk_read_time_seconds_total", COUNTER, "device", NULL, NULL, "Time spent by all reads.")                    \
    X(DISK_WRITES, "node_disk_writes_completed_total", COUNTER, "device", NULL, NULL, "Writes completed.")                               \
    X(DISK_WRITE_BYTES, "node_disk_written_bytes_total", COUNTER, "device", NULL, NULL, "Bytes written.")                                \
    X(DISK_WRITE_TIME, "node_disk_write_time_seconds_total", COUNTER, "device", NULL, NULL, "Time spent by all writes.")                 \
    X(DISK_NOW, "node_disk_io_now", GAUGE, "device", NULL, NULL, "Reads and writes under way.")                                          \
    X(DISK_BUSY, "node_disk_io_time_seconds_total", COUNTER, "device", NULL, NULL, "Time in which something was under way.")             \
    X(DISK_WAIT, "node_disk_io_time_weighted_seconds_total", COUNTER, "device", NULL, NULL, "Time weighted by what was under way.")      \
    X(FS_SIZE, "node_filesystem_size_bytes", GAUGE, "device", "fstype", "mountpoint", "Size of the file system.")                        \
    X(FS_FREE, "node_filesystem_free_bytes", GAUGE, "device", "fstype", "mountpoint", "Space that is free.")                             \
    X(FS_AVAILABLE, "node_filesystem_avail_bytes", GAUGE, "device", "fstype", "mountpoint", "Space free for everybody, not only root.")  \
    X(FS_FILES, "node_filesystem_files", GAUGE, "device", "fstype", "mountpoint", "Inodes of the file system.")                          \
    X(FS_FILES_FREE, "node_filesystem_files_free", GAUGE, "device", "fstype", "mountpoint", "Inodes that are free.")                     \
    X(FS_READONLY, "node_filesystem_readonly", GAUGE, "device", "fstype", "mountpoint", "1: mounted for reading only.")                  \
    X(NET_RX_BYTES, "node_network_receive_bytes_total", COUNTER, "device", NULL, NULL, "Bytes received.")                                \
    X(NET_RX_PACKETS, "node_network_receive_packets_total", COUNTER, "device", NULL, NULL, "Packets received.")                          \
    X(NET_RX_ERRORS, "node_network_receive_errs_total", COUNTER, "device", NULL, NULL, "Packets received with an error.")                \
    X(NET_RX_DROPS, "node_network_receive_drop_total", COUNTER, "device", NULL, NULL, "Packets received and dropped.")                   \
    X(NET_TX_BYTES, "node_network_transmit_bytes_total", COUNTER, "device", NULL, NULL, "Bytes sent.")                                   \
    X(NET_TX_PACKETS, "node_network_transmit_packets_total", COUNTER, "device", NULL, NULL, "Packets sent.")                             \
    X(NET_TX_ERRORS, "node_network_transmit_errs_total", COUNTER, "device", NULL, NULL, "Packets that could not be sent for an error.")  \
    X(NET_TX_DROPS, "node_network_transmit_drop_total", COUNTER, "device", NULL, NULL, "Packets dropped instead of sent.")               \
    X(CPU_WAITING, "node_pressure_cpu_waiting_seconds_total", COUNTER, NULL, NULL, NULL, "Time in which somebody waited for a processor.") \
    X(IO_WAITING, "node_pressure_io_waiting_seconds_total", COUNTER, NULL, NULL, NULL, "Time in which somebody waited for a disk.")      \
    X(IO_STALLED, "node_pressure_io_stalled_seconds_total", COUNTER, NULL, NULL, NULL, "Time in which everybody waited for a disk.")     \
    X(MEM_WAITING, "node_pressure_memory_waiting_seconds_total", COUNTER, NULL, NULL, NULL, "Time in which somebody waited for memory.") \
    X(MEM_STALLED, "node_pressure_memory_stalled_seconds_total", COUNTER, NULL, NULL, NULL, "Time in which everybody waited for memory.") \
    X(FILES_ALLOCATED, "node_filefd_allocated", GAUGE, NULL, NULL, NULL, "File descriptors in use.")                                     \
    X(FILES_MAXIMUM, "node_filefd_maximum", GAUGE, NULL, NULL, NULL, "File descriptors that may be in use.")                             \
    X(COLLECTED, "node_scrape_collector_success", GAUGE, "collector", NULL, NULL, "1: the kernel gave these figures; 0: they are absent.")

typedef enum tcsi_figure_family_id {
#define X(id, name, kind, label1, label2, label3, help) TCSI_FIGURE_##id,
    TCSI_FIGURE_FAMILY_LIST(X)
#undef X
    TCSI_FIGURE_FAMILY_COUNT
} tcsi_figure_family_id;

typedef struct tcsi_figure_family {
    const char *name;
    tcsi_figure_kind kind;
    const char *labels[TCSI_FIGURE_LABEL_COUNT_MAX]; /* NULL: no more */
    const char *help;
} tcsi_figure_family;

extern const tcsi_figure_family tcsi_figure_families[TCSI_FIGURE_FAMILY_COUNT];

/* The value of a label while it still stands in somebody's text. */
typedef struct tcsi_figure_label {
    const char *text;
    size_t size;
} tcsi_figure_label;

typedef struct tcsi_figure {
    tcsi_figure_family_id family;
    char *name;                                      /* node_load1, or name{device="sda"}, escaped as the exposition format does */
    char *labels[TCSI_FIGURE_LABEL_COUNT_MAX];       /* their values; NULL: no more */
    double value, value_before;                      /* of the last tick that set it, and of the one that did so before */
    uint64_t tick, tick_before;                      /* which these were; 0: never */
} tcsi_figure;

typedef struct tcsi_figures {
    tcsi_figure *items;       /* in the order in which they were first seen */
    size_t count, capacity;
    uint32_t *slots;          /* open addressing, at most half full: item + 1, or 0 */
    size_t slot_count;
    size_t expected;          /* where the next figure most likely stands */
    uint64_t tick;            /* from 1 */
    int64_t time_ns, time_before_ns; /* of this tick and the last, on a clock that never goes back */
    uint64_t refused_count;   /* set, but over the limit, with a label too long, or out of memory */
} tcsi_figures;

void tcsi_figures_init(tcsi_figures *figures);
void tcsi_figures_deinit(tcsi_figures *figures);
void tcsi_figures_begin(tcsi_figures *figures, int64_t monotonic_ns);
/* labels: as many as the family has; may be NULL when it has none.  A label holds bytes of any kind but 0. */
void tcsi_figures_set(tcsi_figures *figures, tcsi_figure_family_id family, const tcsi_figure_label *labels, double value);

static inline bool tcsi_figure_is_present(const tcsi_figures *figures, const tcsi_figure *figure)
{
    return figure->tick == figures->tick;
}
/* A counter's growth per second since the tick before; NaN when there is none to be said. */
double tcsi_figure_rate(const tcsi_figures *figures, const tcsi_figure *figure);
/* By its name as in tcsi_figure.name; NULL: not in this tick.  For tests and one-off questions: it looks at each. */
const tcsi_figure *tcsi_figures_find(const tcsi_figures *figures, const char *name);

/* ---- as text ---- */

/* One line of JSON: the time, then each figure of this tick in the order of first sight.  Counters stand as their rate, under
 * rate(NAME), which is null when there is none; with totals as they are, under NAME. */
tcs_status tcsi_figures_write_row(const tcsi_figures *figures, int64_t wall_ns, bool totals, tcsi_buffer *out,
                                  tcs_error *err) TCS_WARN_UNUSED;
/* The exposition format 0.0.4 of Prometheus: families in the order of the table, counters as they are. */
tcs_status tcsi_figures_write_exposition(const tcsi_figures *figures, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
