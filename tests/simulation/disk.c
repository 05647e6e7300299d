/* SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"

#include "sqlite_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 256, SECTOR = 512, OPEN_MAX_FILES = 256 };

typedef struct pending {
    struct pending *next;
    int64_t offset; /* -1: cut to size */
    size_t size;
    unsigned char bytes[];
} pending;

typedef struct file {
    struct file *next;
    char path[PATH_SIZE];
    unsigned char *image;      /* as the platter has it */
    size_t size, capacity;
    pending *first, **end;     /* writes since */
    bool is_named;             /* its folder was synced since it was made, or SQLite made it, which syncs folders itself */
    bool is_removed;           /* from the journal's folder, which was not synced since */
} file;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static file *files;
static file *opened[OPEN_MAX_FILES]; /* by descriptor, of the journal */
static sim_faults faults;
static tcsi_rng rng;
static long operations;
static _Atomic bool is_dead;
static char archive_folder[PATH_SIZE];
static void (*killed)(void *self);
static void *killed_self;

/* ---- what is on the platter ---- */

static void *must(void *memory)
{
    if (!memory) abort();
    return memory;
}

static void resize(file *f, size_t size)
{
    if (size > f->capacity) {
        f->capacity = 2 * size;
        f->image = must(realloc(f->image, f->capacity));
    }
    if (size > f->size) memset(f->image + f->size, 0, size - f->size);
    f->size = size;
}

static void apply(file *f, const pending *w, bool is_whole)
{
    if (w->offset < 0) {
        if (is_whole || tcsi_rng_below(&rng, 2)) resize(f, w->size);
        return;
    }
    for (size_t at = 0, take; at < w->size; at += take) {
        const size_t place = (size_t)w->offset + at, left = SECTOR - place % SECTOR;
        take = left < w->size - at ? left : w->size - at;
        if (!is_whole && tcsi_rng_below(&rng, 2)) continue;
        if (place + take > f->size) resize(f, place + take);
        memcpy(f->image + place, w->bytes + at, take);
    }
}

/* All writes since the last sync onto the platter, or some of each. */
static void settle(file *f, bool is_whole)
{
    while (f->first) {
        pending *w = f->first;
        f->first = w->next;
        if (is_whole || tcsi_rng_below(&rng, 4)) apply(f, w, is_whole);
        free(w);
    }
    f->end = &f->first;
}

static void note(file *f, const void *bytes, size_t size, int64_t offset)
{
    pending *w = must(malloc(sizeof *w + (bytes ? size : 0)));
    *w = (pending){ .offset = offset, .size = size };
    if (bytes) memcpy(w->bytes, bytes, size);
    *f->end = w;
    f->end = &w->next;
}

static file *find(const char *path)
{
    file *f = files;
    while (f && strcmp(f->path, path) != 0) f = f->next;
    return f;
}

static file *remember(const char *path, bool is_named)
{
    file *f = find(path);
    if (f) return f;
    f = must(calloc(1, sizeof *f));
    snprintf(f->path, sizeof f->path, "%s", path);
    f->end = &f->first;
    f->is_named = is_named;
    f->next = files;
    files = f;
    return f;
}

static void forget(file *f)
{
    settle(f, true);
    f->size = 0;
}

/* ---- power ---- */

sim_faults *sim_disk_faults(void) { return &faults; }
bool sim_disk_is_dead(void) { return atomic_load(&is_dead); }
long sim_disk_operations(void) { return operations; }

void sim_disk_kill(void)
{
    if (!atomic_exchange(&is_dead, true) && killed) killed(killed_self);
}

/* Counts an operation; true: there is no power. */
static bool counts(void)
{
    operations++;
    if (faults.kill_in > 0 && --faults.kill_in == 0) sim_disk_kill();
    return atomic_load(&is_dead);
}

static bool store_fails(void)
{
    if (counts()) return true;
    if (faults.store_failures == 0) return false;
    if (faults.store_failures != LONG_MAX) faults.store_failures--;
    return true;
}

static bool journal_fails(void)
{
    errno = EIO;
    if (counts()) return true;
    if (faults.journal_failures == 0) return false;
    faults.journal_failures--;
    errno = faults.journal_errno;
    return true;
}

static void archive_path(const char *path, char *ret_path, size_t size)
{
    const char *name = strrchr(path, '/');
    snprintf(ret_path, size, "%s%s", archive_folder, name ? name : path);
}

static void restart_file(file *f)
{
    char moved[2 * PATH_SIZE];
    archive_path(f->path, moved, sizeof moved);
    settle(f, false);
    if (f->is_removed) {
        if (tcsi_rng_below(&rng, 2) && rename(moved, f->path) != 0) abort();
        f->is_removed = false;
    }
    if (access(f->path, F_OK) != 0) return;
    if (!f->is_named && tcsi_rng_below(&rng, 2)) {
        unlink(f->path);
        return;
    }
    f->is_named = true;
    FILE *out = must(fopen(f->path, "wb"));
    if ((f->size && fwrite(f->image, 1, f->size, out) != f->size) || fclose(out) != 0) abort();
}

void sim_disk_restart(void)
{
    pthread_mutex_lock(&mutex);
    for (file *f = files; f; f = f->next) restart_file(f);
    faults = (sim_faults){ 0 };
    atomic_store(&is_dead, false);
    pthread_mutex_unlock(&mutex);
}

void sim_disk_begin(const char *archive, uint64_t seed, void (*on_kill)(void *self), void *self)
{
    snprintf(archive_folder, sizeof archive_folder, "%s", archive);
    faults = (sim_faults){ 0 };
    rng = tcsi_rng_make(seed, 7);
    operations = 0;
    atomic_store(&is_dead, false);
    killed = on_kill;
    killed_self = self;
}

void sim_disk_end(void)
{
    while (files) {
        file *f = files;
        files = f->next;
        settle(f, true);
        free(f->image);
        free(f);
    }
    killed = NULL;
}

/* ---- the journal's operations ---- */

static int journal_create(void *self, const char *path)
{
    (void)self;
    pthread_mutex_lock(&mutex);
    int opened_file = -1;
    if (!journal_fails()) {
        opened_file = tcsi_disk_posix.create(NULL, path);
        if (opened_file < 0 || opened_file >= OPEN_MAX_FILES) abort();
        opened[opened_file] = remember(path, false);
        forget(opened[opened_file]);
    }
    pthread_mutex_unlock(&mutex);
    return opened_file;
}

static ssize_t journal_write(void *self, int number, const void *bytes, size_t size)
{
    (void)self;
    pthread_mutex_lock(&mutex);
    const off_t offset = lseek(number, 0, SEEK_END);
    ssize_t written = -1;
    if (!journal_fails()) {
        written = write(number, bytes, size);
        if (written != (ssize_t)size) abort();
    } else if (!atomic_load(&is_dead) && size > 1) { /* full: as much as fits, and then nothing */
        const int cause = errno;
        written = write(number, bytes, 1 + tcsi_rng_below(&rng, size - 1));
        errno = cause;
        faults.journal_failures++; /* the rest is tried again, and fails */
        if (tcsi_rng_below(&rng, 2)) faults.journal_failures--;
    }
    if (written > 0) note(opened[number], bytes, (size_t)written, offset);
    pthread_mutex_unlock(&mutex);
    return written;
}

static int journal_sync(void *self, int number)
{
    (void)self;
    pthread_mutex_lock(&mutex);
    const bool fails = journal_fails();
    const int cause = errno;
    if (!atomic_load(&is_dead)) settle(opened[number], !fails);
    faults.sync_failures += fails;
    pthread_mutex_unlock(&mutex);
    errno = cause;
    return fails ? -1 : 0;
}

static int journal_sync_folder(void *self, const char *path)
{
    (void)self;
    const size_t size = strlen(path);
    pthread_mutex_lock(&mutex);
    const bool fails = journal_fails();
    const int cause = errno;
    for (file *f = fails ? NULL : files; f; f = f->next)
        if (strncmp(f->path, path, size) == 0 && f->path[size] == '/') {
            f->is_named = true;
            f->is_removed = false;
        }
    pthread_mutex_unlock(&mutex);
    errno = cause;
    return fails ? -1 : 0;
}

static int journal_remove(void *self, const char *path)
{
    char moved[2 * PATH_SIZE];
    (void)self;
    pthread_mutex_lock(&mutex);
    const bool fails = journal_fails();
    const int cause = errno;
    file *f = find(path);
    archive_path(path, moved, sizeof moved);
    if (!fails) {
        if (rename(path, moved) != 0) abort();
        if (f) f->is_removed = true;
    }
    pthread_mutex_unlock(&mutex);
    errno = cause;
    return fails ? -1 : 0;
}

static int journal_renew(void *self, const char *path, off_t offset)
{
    char piece[4096];
    (void)self;
    pthread_mutex_lock(&mutex);
    const bool fails = journal_fails();
    const int cause = errno, number = fails ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    file *f = find(path);
    if (number >= 0 && f) {
        for (ssize_t size; (size = pread(number, piece, sizeof piece, offset)) > 0; offset += size) note(f, piece, (size_t)size, offset);
        settle(f, true);
    }
    if (number >= 0) close(number);
    pthread_mutex_unlock(&mutex);
    errno = cause;
    return fails ? -1 : 0;
}

static void journal_close(void *self, int number)
{
    (void)self;
    pthread_mutex_lock(&mutex);
    opened[number] = NULL;
    close(number);
    pthread_mutex_unlock(&mutex);
}

const tcsi_disk sim_disk_journal = { journal_create, journal_write, journal_sync, journal_sync_folder, journal_remove, journal_close,
                                     journal_renew, NULL };

/* ---- SQLite's ---- */

static int store_read(sqlite3_file *f, void *bytes, int size, sqlite3_int64 offset)
{
    if (atomic_load(&is_dead)) return SQLITE_IOERR_READ;
    return SHIM_REAL(f)->pMethods->xRead(SHIM_REAL(f), bytes, size, offset);
}

static int store_write(sqlite3_file *f, const void *bytes, int size, sqlite3_int64 offset)
{
    file *memory = SHIM_MEMORY(f);
    pthread_mutex_lock(&mutex);
    int code = store_fails() ? atomic_load(&is_dead) ? SQLITE_IOERR_WRITE : faults.store_code : SQLITE_OK;
    const int done = code == SQLITE_OK ? size : atomic_load(&is_dead) ? 0 : size / 2;
    if (done > 0) {
        const int real = SHIM_REAL(f)->pMethods->xWrite(SHIM_REAL(f), bytes, done, offset);
        if (memory) note(memory, bytes, (size_t)done, offset);
        if (code == SQLITE_OK) code = real;
    }
    pthread_mutex_unlock(&mutex);
    return code;
}

static int store_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    file *memory = SHIM_MEMORY(f);
    pthread_mutex_lock(&mutex);
    int code = store_fails() ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
    if (code == SQLITE_OK) {
        if (memory) note(memory, NULL, (size_t)size, -1);
        code = SHIM_REAL(f)->pMethods->xTruncate(SHIM_REAL(f), size);
    }
    pthread_mutex_unlock(&mutex);
    return code;
}

static int store_sync(sqlite3_file *f, int flags)
{
    file *memory = SHIM_MEMORY(f);
    (void)flags;
    pthread_mutex_lock(&mutex);
    const bool fails = store_fails();
    if (memory && !atomic_load(&is_dead)) settle(memory, !fails);
    pthread_mutex_unlock(&mutex);
    return fails ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int store_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    static const sqlite3_io_methods methods = SHIM_METHODS(store_read, store_write, store_truncate, store_sync);
    f->pMethods = NULL;
    if (atomic_load(&is_dead)) return SQLITE_CANTOPEN;
    pthread_mutex_lock(&mutex);
    file *memory = name ? remember(name, true) : NULL; /* NULL: a temporary one */
    pthread_mutex_unlock(&mutex);
    return shim_open(vfs, name, f, flags, ret_flags, memory, &methods);
}

static int store_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    sqlite3_vfs *real = vfs->pAppData;
    pthread_mutex_lock(&mutex);
    const bool fails = store_fails();
    file *f = find(name);
    if (f && !fails) forget(f);
    pthread_mutex_unlock(&mutex);
    return fails ? SQLITE_IOERR_DELETE : real->xDelete(real, name, sync);
}

void sim_disk_install(void)
{
    static sqlite3_vfs shim;
    shim_install(&shim, "simulation", store_open, store_delete);
}
