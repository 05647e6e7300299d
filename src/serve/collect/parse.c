/* serve/collect/parse.c -- see parse.h.  The forms are those of proc(5) and the kernel's Documentation/filesystems/proc.rst,
 * Documentation/admin-guide/iostats.rst and Documentation/accounting/psi.rst.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/collect/parse.h"

#include <string.h>

/* ---- lines, words, numbers ---- */

typedef tcsi_figure_label word;

typedef struct cursor {
    const char *at, *end;
} cursor;

/* The next complete line, without its line feed. */
static bool next_line(cursor *text, cursor *ret_line)
{
    const char *feed = text->at < text->end ? memchr(text->at, '\n', (size_t)(text->end - text->at)) : NULL;
    if (!feed) return false;
    *ret_line = (cursor){ text->at, feed };
    text->at = feed + 1;
    return true;
}

static bool next_word(cursor *line, word *ret_word)
{
    while (line->at < line->end && (*line->at == ' ' || *line->at == '\t')) line->at++;
    const char *begin = line->at;
    while (line->at < line->end && *line->at != ' ' && *line->at != '\t') line->at++;
    *ret_word = (word){ begin, (size_t)(line->at - begin) };
    return ret_word->size > 0;
}

static bool is_word(word w, const char *text)
{
    return strlen(text) == w.size && memcmp(w.text, text, w.size) == 0;
}

static bool begins_with(word w, const char *text)
{
    size_t length = strlen(text);
    return w.size >= length && memcmp(w.text, text, length) == 0;
}

/* Digits with at most one point: the only numbers that these files hold.  The kernel counts in 64 bits: more is none of its. */
static bool parse_number(word w, double *ret_value)
{
    uint64_t value = 0;
    double unit = 1;
    bool has_digit = false, has_point = false;
    for (size_t i = 0; i < w.size; i++) {
        const char c = w.text[i];
        if (c == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (c < '0' || c > '9') return false;
        const uint64_t digit = (uint64_t)(c - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
        unit *= has_point ? 10 : 1;
        has_digit = true;
    }
    *ret_value = (double)value / unit;
    return has_digit;
}

static bool next_number(cursor *line, double *ret_value)
{
    word w;
    return next_word(line, &w) && parse_number(w, ret_value);
}

/* Lines of a name and a number, of which some are figures. */
typedef struct named_figure {
    const char *name;
    tcsi_figure_family_id family;
} named_figure;

static bool set_named(word name, cursor *line, const named_figure *known, size_t count, double scale, tcsi_figures *figures)
{
    double value;
    for (size_t i = 0; i < count; i++) {
        if (!is_word(name, known[i].name)) continue;
        if (!next_number(line, &value)) return false;
        tcsi_figures_set(figures, known[i].family, NULL, scale * value);
        return true;
    }
    return false;
}

static bool read_named(const char *text, size_t size, const named_figure *known, size_t count, double scale, tcsi_figures *figures)
{
    cursor rest = { text, text + size }, line;
    word name;
    bool found = false;
    while (next_line(&rest, &line))
        if (next_word(&line, &name)) found |= set_named(name, &line, known, count, scale, figures);
    return found;
}

/* ---- /proc/stat ---- */

/* Columns behind "cpu" in the order in which kernels came to have them; guest time is part of user time and not told again. */
static const char *const MODES[] = { "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal" };

static bool set_processor(word name, cursor *line, const tcsi_collect_options *options, tcsi_figures *figures)
{
    const word core = { name.text + 3, name.size - 3 };
    double ticks;
    size_t count = 0;
    for (; count < TCS_COUNT(MODES) && next_number(line, &ticks); count++) {
        const word mode = { MODES[count], strlen(MODES[count]) };
        const double seconds = ticks / options->ticks_per_s;
        if (core.size > 0) tcsi_figures_set(figures, TCSI_FIGURE_CPU_CORE, (const word[]){ core, mode }, seconds);
        else tcsi_figures_set(figures, TCSI_FIGURE_CPU, &mode, seconds);
    }
    return count > 0;
}

bool tcsi_collect_stat(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    static const named_figure known[] = {
        { "intr", TCSI_FIGURE_INTERRUPTS }, { "ctxt", TCSI_FIGURE_SWITCHES }, { "btime", TCSI_FIGURE_BOOT },
        { "processes", TCSI_FIGURE_FORKS }, { "procs_running", TCSI_FIGURE_RUNNING }, { "procs_blocked", TCSI_FIGURE_BLOCKED },
    };
    cursor rest = { text, text + size }, line;
    word name;
    bool found = false;
    while (next_line(&rest, &line)) {
        if (!next_word(&line, &name)) continue;
        if (!begins_with(name, "cpu")) found |= set_named(name, &line, known, TCS_COUNT(known), 1, figures);
        else if ((name.size > 3) == options->per_core) found |= set_processor(name, &line, options, figures);
    }
    return found;
}

/* ---- single lines and lists of names ---- */

bool tcsi_collect_loadavg(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    static const tcsi_figure_family_id families[] = { TCSI_FIGURE_LOAD1, TCSI_FIGURE_LOAD5, TCSI_FIGURE_LOAD15 };
    cursor rest = { text, text + size }, line;
    double value;
    size_t count = 0;
    (void)options;
    if (!next_line(&rest, &line)) return false;
    for (; count < TCS_COUNT(families) && next_number(&line, &value); count++) tcsi_figures_set(figures, families[count], NULL, value);
    return count > 0;
}

bool tcsi_collect_file_nr(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    cursor rest = { text, text + size }, line;
    double allocated, unused, maximum;
    (void)options;
    if (!next_line(&rest, &line) || !next_number(&line, &allocated)) return false;
    tcsi_figures_set(figures, TCSI_FIGURE_FILES_ALLOCATED, NULL, allocated);
    if (next_number(&line, &unused) && next_number(&line, &maximum)) tcsi_figures_set(figures, TCSI_FIGURE_FILES_MAXIMUM, NULL, maximum);
    return true;
}

bool tcsi_collect_meminfo(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    static const named_figure known[] = {
        { "MemTotal:", TCSI_FIGURE_MEM_TOTAL }, { "MemFree:", TCSI_FIGURE_MEM_FREE }, { "MemAvailable:", TCSI_FIGURE_MEM_AVAILABLE },
        { "Buffers:", TCSI_FIGURE_MEM_BUFFERS }, { "Cached:", TCSI_FIGURE_MEM_CACHED }, { "AnonPages:", TCSI_FIGURE_MEM_ANON },
        { "Shmem:", TCSI_FIGURE_MEM_SHMEM }, { "Slab:", TCSI_FIGURE_MEM_SLAB }, { "Dirty:", TCSI_FIGURE_MEM_DIRTY },
        { "Writeback:", TCSI_FIGURE_MEM_WRITEBACK }, { "Committed_AS:", TCSI_FIGURE_MEM_COMMITTED },
        { "SwapTotal:", TCSI_FIGURE_SWAP_TOTAL }, { "SwapFree:", TCSI_FIGURE_SWAP_FREE },
    };
    (void)options;
    return read_named(text, size, known, TCS_COUNT(known), 1024, figures);
}

bool tcsi_collect_vmstat(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    static const named_figure known[] = {
        { "pswpin", TCSI_FIGURE_SWAP_IN }, { "pswpout", TCSI_FIGURE_SWAP_OUT }, { "pgfault", TCSI_FIGURE_FAULTS },
        { "pgmajfault", TCSI_FIGURE_FAULTS_MAJOR }, { "oom_kill", TCSI_FIGURE_OOM_KILLS },
    };
    (void)options;
    return read_named(text, size, known, TCS_COUNT(known), 1, figures);
}

/* ---- /proc/diskstats ---- */

static bool is_digits(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return size > 0;
}

/* loop0, ram1, zram0, fd0: no disks; sda1, vdb2, nvme0n1p3: parts of disks that are told whole. */
static bool is_disk(word name)
{
    static const char *const others[] = { "loop", "ram", "zram", "fd" }, *const lettered[] = { "sd", "hd", "vd", "xvd" };
    for (size_t i = 0; i < TCS_COUNT(others); i++) {
        size_t length = strlen(others[i]);
        if (begins_with(name, others[i]) && is_digits(name.text + length, name.size - length)) return false;
    }
    size_t letters = name.size;
    while (letters > 0 && name.text[letters - 1] >= '0' && name.text[letters - 1] <= '9') letters--;
    if (letters == name.size) return true;
    for (size_t i = 0; i < TCS_COUNT(lettered); i++)
        if (begins_with(name, lettered[i])) return false;
    return !((begins_with(name, "nvme") || begins_with(name, "mmcblk")) && letters > 0 && name.text[letters - 1] == 'p');
}

bool tcsi_collect_diskstats(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    /* Columns behind the name; COUNT: not told.  A sector has 512 bytes here, whatever the disk's own are. */
    static const struct { tcsi_figure_family_id family; double scale; } columns[] = {
        { TCSI_FIGURE_DISK_READS, 1 }, { TCSI_FIGURE_FAMILY_COUNT, 0 }, { TCSI_FIGURE_DISK_READ_BYTES, 512 },
        { TCSI_FIGURE_DISK_READ_TIME, 1e-3 }, { TCSI_FIGURE_DISK_WRITES, 1 }, { TCSI_FIGURE_FAMILY_COUNT, 0 },
        { TCSI_FIGURE_DISK_WRITE_BYTES, 512 }, { TCSI_FIGURE_DISK_WRITE_TIME, 1e-3 }, { TCSI_FIGURE_DISK_NOW, 1 },
        { TCSI_FIGURE_DISK_BUSY, 1e-3 }, { TCSI_FIGURE_DISK_WAIT, 1e-3 },
    };
    cursor rest = { text, text + size }, line;
    bool found = false;
    (void)options;
    while (next_line(&rest, &line)) {
        double number, values[TCS_COUNT(columns)];
        word name;
        size_t count = 0;
        if (!next_number(&line, &number) || !next_number(&line, &number) || !next_word(&line, &name) || !is_disk(name)) continue;
        while (count < TCS_COUNT(columns) && next_number(&line, &values[count])) count++;
        if (count < TCS_COUNT(columns)) continue; /* a partition before 2.6.25 has four columns that mean something else */
        for (size_t i = 0; i < count; i++)
            if (columns[i].scale > 0) tcsi_figures_set(figures, columns[i].family, &name, columns[i].scale * values[i]);
        found = true;
    }
    return found;
}

/* ---- /proc/net/dev ---- */

/* The last colon parts name and figures: an alias such as eth0:1 has one of its own. */
static bool split_interface(cursor *line, word *ret_name)
{
    const char *colon = line->end;
    while (colon > line->at && colon[-1] != ':') colon--;
    if (colon == line->at) return false;
    cursor name = { line->at, colon - 1 };
    line->at = colon; /* no blank between the two when figures are wide */
    return next_word(&name, ret_name);
}

bool tcsi_collect_net_dev(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    static const struct { size_t column; tcsi_figure_family_id family; } columns[] = {
        { 0, TCSI_FIGURE_NET_RX_BYTES }, { 1, TCSI_FIGURE_NET_RX_PACKETS }, { 2, TCSI_FIGURE_NET_RX_ERRORS },
        { 3, TCSI_FIGURE_NET_RX_DROPS }, { 8, TCSI_FIGURE_NET_TX_BYTES }, { 9, TCSI_FIGURE_NET_TX_PACKETS },
        { 10, TCSI_FIGURE_NET_TX_ERRORS }, { 11, TCSI_FIGURE_NET_TX_DROPS },
    };
    enum { COLUMN_COUNT = 16 };
    cursor rest = { text, text + size }, line;
    bool found = false;
    (void)options;
    while (next_line(&rest, &line)) {
        double values[COLUMN_COUNT];
        word name;
        size_t count = 0;
        if (!split_interface(&line, &name)) continue; /* the two lines of the heading */
        while (count < COLUMN_COUNT && next_number(&line, &values[count])) count++;
        if (count < COLUMN_COUNT) continue;
        for (size_t i = 0; i < TCS_COUNT(columns); i++) tcsi_figures_set(figures, columns[i].family, &name, values[columns[i].column]);
        found = true;
    }
    return found;
}

/* ---- /proc/pressure ---- */

/* some avg10=0.00 avg60=0.06 avg300=1.88 total=40205458419: the total, in microseconds. */
static bool read_pressure(const char *text, size_t size, const tcsi_figure_family_id families[2], tcsi_figures *figures)
{
    cursor rest = { text, text + size }, line;
    bool found = false;
    while (next_line(&rest, &line)) {
        word kind, part;
        double value;
        if (!next_word(&line, &kind)) continue;
        const tcsi_figure_family_id family = is_word(kind, "some") ? families[0] : is_word(kind, "full") ? families[1]
                                                                                                        : TCSI_FIGURE_FAMILY_COUNT;
        while (family != TCSI_FIGURE_FAMILY_COUNT && next_word(&line, &part)) {
            if (!begins_with(part, "total=") || !parse_number((word){ part.text + 6, part.size - 6 }, &value)) continue;
            tcsi_figures_set(figures, family, NULL, 1e-6 * value);
            found = true;
        }
    }
    return found;
}

/* That everybody waits for a processor cannot be: kernels since 5.13 tell it as 0. */
bool tcsi_collect_pressure_cpu(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    (void)options;
    return read_pressure(text, size, (const tcsi_figure_family_id[]){ TCSI_FIGURE_CPU_WAITING, TCSI_FIGURE_FAMILY_COUNT }, figures);
}

bool tcsi_collect_pressure_io(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    (void)options;
    return read_pressure(text, size, (const tcsi_figure_family_id[]){ TCSI_FIGURE_IO_WAITING, TCSI_FIGURE_IO_STALLED }, figures);
}

bool tcsi_collect_pressure_memory(const char *text, size_t size, const tcsi_collect_options *options, tcsi_figures *figures)
{
    (void)options;
    return read_pressure(text, size, (const tcsi_figure_family_id[]){ TCSI_FIGURE_MEM_WAITING, TCSI_FIGURE_MEM_STALLED }, figures);
}

/* ---- /proc/self/mountinfo ---- */

static bool is_octal(const char *text)
{
    for (size_t i = 0; i < 3; i++)
        if (text[i] < '0' || text[i] > '7') return false;
    return true;
}

/* A blank, tab, line feed or backslash stands as \040, \011, \012, \134.  false: too long. */
static bool unescape(word w, char *ret_text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < w.size; i++) {
        unsigned c = (unsigned char)w.text[i];
        if (c == '\\' && i + 3 < w.size && is_octal(w.text + i + 1)) {
            c = ((unsigned)(w.text[i + 1] - '0') << 6 | (unsigned)(w.text[i + 2] - '0') << 3 | (unsigned)(w.text[i + 3] - '0')) & 255;
            i += 3;
        }
        if (c == 0 || length + 1 == size) return false;
        ret_text[length++] = (char)c;
    }
    ret_text[length] = 0;
    return length > 0;
}

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

static bool is_told(const tcsi_mount *mount)
{
    static const char *const kernels[] = { "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs",
        "efivarfs", "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs", "proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs",
        "squashfs", "sysfs", "tracefs" };
    static const char *const remote[] = { "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse", "glusterfs", "gpfs",
        "lustre", "ncpfs", "ocfs2", "virtiofs" };
    static const char *const folders[] = { "/dev", "/proc", "/sys", "/run/credentials", "/var/lib/docker",
        "/var/lib/containers/storage" };
    for (size_t i = 0; i < TCS_COUNT(kernels); i++)
        if (strcmp(mount->type, kernels[i]) == 0) return false;
    for (size_t i = 0; i < TCS_COUNT(remote); i++)
        if (strcmp(mount->type, remote[i]) == 0) return false;
    for (size_t i = 0; i < TCS_COUNT(folders); i++)
        if (is_below(mount->point, folders[i])) return false;
    if (strncmp(mount->type, "fuse.", 5) == 0) return false;
    return strcmp(mount->type, "overlay") != 0 || strcmp(mount->point, "/") == 0; /* the whole of a container, or a layer of one */
}

static bool parse_device(word w, uint32_t *ret_major, uint32_t *ret_minor)
{
    const char *colon = memchr(w.text, ':', w.size);
    double major, minor;
    if (!colon || !parse_number((word){ w.text, (size_t)(colon - w.text) }, &major)) return false;
    if (!parse_number((word){ colon + 1, (size_t)(w.text + w.size - colon - 1) }, &minor)) return false;
    if (major > UINT32_MAX || minor > UINT32_MAX) return false;
    *ret_major = (uint32_t)major;
    *ret_minor = (uint32_t)minor;
    return true;
}

/* Is the mount there for reading only?  The first word of its comma-separated options says so. */
static bool is_readonly(word options)
{
    return is_word(options, "ro") || begins_with(options, "ro,");
}

/* 36 35 98:0 /root /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
static bool parse_mount(cursor line, tcsi_mount *ret_mount)
{
    word id, parent, device, root, point, options, part, type, source, super;
    if (!next_word(&line, &id) || !next_word(&line, &parent) || !next_word(&line, &device) || !next_word(&line, &root)) return false;
    if (!next_word(&line, &point) || !next_word(&line, &options)) return false;
    do {
        if (!next_word(&line, &part)) return false;
    } while (!is_word(part, "-"));
    if (!next_word(&line, &type) || !next_word(&line, &source)) return false;
    if (!parse_device(device, &ret_mount->major, &ret_mount->minor)) return false;
    ret_mount->is_readonly = is_readonly(options) || (next_word(&line, &super) && is_readonly(super));
    return unescape(point, ret_mount->point, sizeof ret_mount->point) && unescape(type, ret_mount->type, sizeof ret_mount->type) &&
           unescape(source, ret_mount->device, sizeof ret_mount->device);
}

size_t tcsi_collect_mounts(const char *text, size_t size, tcsi_mount *ret_mounts)
{
    cursor rest = { text, text + size }, line;
    size_t count = 0;
    while (next_line(&rest, &line)) {
        tcsi_mount mount;
        size_t same = 0;
        if (!parse_mount(line, &mount) || !is_told(&mount)) continue;
        while (same < count && (ret_mounts[same].major != mount.major || ret_mounts[same].minor != mount.minor)) same++;
        if (same == TCSI_MOUNT_COUNT_MAX) continue;
        if (same < count && strlen(ret_mounts[same].point) <= strlen(mount.point)) continue;
        ret_mounts[same] = mount;
        count += same == count;
    }
    return count;
}
