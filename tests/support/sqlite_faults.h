/* tests/support/sqlite_faults.h -- a disk that fails on purpose, as a VFS of SQLite's that becomes the default one.
 *
 * It counts what SQLite asks of files and strikes at the n-th: an error (once, or from then on), a write that is cut short, or a crash.
 * What is fair for a crash to do (as SQLite's own test harness has it): everything since a file's last sync may be there or not, write by
 * write, and within a write sector by sector of 512 bytes.  So for each file the synced bytes and the writes since are kept here, and a
 * crash makes the file from them before it ends the process.
 * Threads: one user. */
#ifndef TCS_TEST_SQLITE_FAULTS_H
#define TCS_TEST_SQLITE_FAULTS_H

#include "base/rng.h"
#include "sqlite_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum disk_fault { DISK_GOOD, DISK_FAILS_ONCE, DISK_FAILS_FOR_GOOD, DISK_CRASHES } disk_fault;

typedef struct disk_plan {
    disk_fault fault;
    int code;        /* SQLITE_IOERR_WRITE, SQLITE_FULL, ... of those that fail */
    bool short_writes; /* half of a write that fails is done */
    bool reads_too;  /* reads count and fail as well */
    long at;         /* strikes at this operation, from 1 */
    long count;      /* operations so far */
    tcsi_rng rng;
} disk_plan;

static disk_plan disk;

/* ---- what a crash leaves ---- */

typedef struct disk_write {
    sqlite3_int64 offset; /* -1: cut to size */
    sqlite3_int64 size;
    unsigned char *bytes;
} disk_write;

typedef struct disk_file {
    char path[256];
    unsigned char *image; /* as of the last sync */
    size_t size;
    disk_write writes[4096];
    size_t write_count;
    struct disk_file *next;
} disk_file;

static disk_file *disk_files;

static inline void disk_apply(disk_file *f, const disk_write *w, bool whole)
{
    if (w->offset < 0) {
        if (!whole && tcsi_rng_below(&disk.rng, 2)) return;
        f->image = realloc(f->image, (size_t)w->size + 1);
        if ((size_t)w->size > f->size) memset(f->image + f->size, 0, (size_t)w->size - f->size);
        f->size = (size_t)w->size;
        return;
    }
    for (sqlite3_int64 at = 0; at < w->size;) {
        sqlite3_int64 place = w->offset + at, end = (place / 512 + 1) * 512, take = end - place < w->size - at ? end - place : w->size - at;
        if (whole || tcsi_rng_below(&disk.rng, 2)) {
            const size_t needed = (size_t)(place + take);
            if (needed > f->size) {
                f->image = realloc(f->image, needed);
                memset(f->image + f->size, 0, needed - f->size);
                f->size = needed;
            }
            memcpy(f->image + place, w->bytes + at, (size_t)take);
        }
        at += take;
    }
}

static inline void disk_settle(disk_file *f, bool whole)
{
    for (size_t i = 0; i < f->write_count; i++) {
        if (whole || tcsi_rng_below(&disk.rng, 4)) disk_apply(f, &f->writes[i], whole);
        free(f->writes[i].bytes);
    }
    f->write_count = 0;
}

static inline void disk_crash(void)
{
    for (disk_file *f = disk_files; f; f = f->next) {
        if (access(f->path, F_OK) != 0) continue;
        disk_settle(f, false);
        FILE *out = fopen(f->path, "wb"); /* the process ends: no lock of it matters */
        if (!out || (f->size && fwrite(f->image, 1, f->size, out) != f->size) || fclose(out) != 0) _exit(90);
    }
    _exit(0);
}

static inline disk_file *disk_remember(const char *path)
{
    disk_file *f = disk_files;
    while (f && strcmp(f->path, path) != 0) f = f->next;
    if (f) return f;
    f = calloc(1, sizeof *f);
    snprintf(f->path, sizeof f->path, "%s", path);
    FILE *in = fopen(path, "rb");
    for (size_t got = 1; in && got > 0; f->size += got) {
        f->image = realloc(f->image, f->size + 65536);
        got = fread(f->image + f->size, 1, 65536, in);
    }
    if (in) fclose(in); /* before SQLite opens it: closing lets go of locks */
    f->next = disk_files;
    disk_files = f;
    return f;
}

static inline void disk_note(disk_file *f, const void *bytes, sqlite3_int64 size, sqlite3_int64 offset)
{
    if (disk.fault != DISK_CRASHES || !f) return;
    if (f->write_count == sizeof f->writes / sizeof *f->writes) _exit(91);
    unsigned char *copy = bytes ? memcpy(malloc((size_t)size), bytes, (size_t)size) : NULL;
    f->writes[f->write_count++] = (disk_write){ offset, size, copy };
}

/* Counts an operation; true: it must fail. */
static inline bool disk_strikes(void)
{
    disk.count++;
    if (disk.fault == DISK_GOOD || disk.count < disk.at) return false;
    if (disk.fault == DISK_CRASHES) disk_crash();
    return disk.fault == DISK_FAILS_FOR_GOOD || disk.count == disk.at;
}

/* ---- files ---- */

static int disk_read(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset)
{
    if (disk.reads_too && disk_strikes()) return SQLITE_IOERR_READ;
    return SHIM_REAL(file)->pMethods->xRead(SHIM_REAL(file), bytes, size, offset);
}

static int disk_put(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    if (disk_strikes()) {
        if (disk.short_writes) (void)SHIM_REAL(file)->pMethods->xWrite(SHIM_REAL(file), bytes, size / 2, offset);
        return disk.code;
    }
    disk_note(SHIM_MEMORY(file), bytes, size, offset);
    return SHIM_REAL(file)->pMethods->xWrite(SHIM_REAL(file), bytes, size, offset);
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (disk_strikes()) return SQLITE_IOERR_TRUNCATE;
    disk_note(SHIM_MEMORY(file), NULL, size, -1);
    return SHIM_REAL(file)->pMethods->xTruncate(SHIM_REAL(file), size);
}

static int disk_sync(sqlite3_file *file, int flags)
{
    disk_file *memory = SHIM_MEMORY(file);
    if (disk_strikes()) return SQLITE_IOERR_FSYNC;
    (void)flags;
    if (disk.fault == DISK_CRASHES && memory) disk_settle(memory, true); /* the image stands for the disk */
    return SQLITE_OK; /* no power goes in here but in the plan: nothing need wait for the real disk */
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    static const sqlite3_io_methods methods = SHIM_METHODS(disk_read, disk_put, disk_truncate, disk_sync);
    file->pMethods = NULL;
    if ((flags & SQLITE_OPEN_CREATE) && disk_strikes()) return disk.code == SQLITE_FULL ? SQLITE_FULL : SQLITE_CANTOPEN;
    return shim_open(vfs, name, file, flags, ret_flags, name && disk.fault == DISK_CRASHES ? disk_remember(name) : NULL, &methods);
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    sqlite3_vfs *real = vfs->pAppData;
    if (disk_strikes()) return SQLITE_IOERR_DELETE;
    for (disk_file *f = disk_files; f; f = f->next)
        if (strcmp(f->path, name) == 0) f->size = f->write_count = 0;
    return real->xDelete(real, name, sync);
}

/* Until there is a plan it only leaves out syncs. */
static inline void disk_install(void)
{
    static sqlite3_vfs shim;
    disk = (disk_plan){ 0 };
    if (shim.zName) {
        sqlite3_vfs_register(&shim, 1);
        return;
    }
    shim_install(&shim, "faults", disk_open, disk_delete);
}

static inline void disk_remove(void)
{
    sqlite3_vfs *shim = sqlite3_vfs_find("faults");
    if (shim) sqlite3_vfs_register(shim->pAppData, 1);
}

#endif
