/* tests/support/sqlite_shim.h -- a VFS of SQLite's between SQLite and the real one: what a test does not do itself goes through.
 *
 * A file of the shim is followed by the real one's.  memory is the test's.  Threads: as SQLite's. */
#ifndef TCS_TEST_SQLITE_SHIM_H
#define TCS_TEST_SQLITE_SHIM_H

#include <sqlite3.h>

typedef struct shim_file {
    sqlite3_file base;
    void *memory;        /* NULL: not kept track of */
    sqlite3_file *real;
} shim_file;

#define SHIM_REAL(file) (((shim_file *)(file))->real)
#define SHIM_MEMORY(file) (((shim_file *)(file))->memory)

static inline int shim_close(sqlite3_file *f) { return SHIM_REAL(f)->pMethods->xClose(SHIM_REAL(f)); }
static inline int shim_size(sqlite3_file *f, sqlite3_int64 *size) { return SHIM_REAL(f)->pMethods->xFileSize(SHIM_REAL(f), size); }
static inline int shim_lock(sqlite3_file *f, int level) { return SHIM_REAL(f)->pMethods->xLock(SHIM_REAL(f), level); }
static inline int shim_unlock(sqlite3_file *f, int level) { return SHIM_REAL(f)->pMethods->xUnlock(SHIM_REAL(f), level); }
static inline int shim_reserved(sqlite3_file *f, int *out) { return SHIM_REAL(f)->pMethods->xCheckReservedLock(SHIM_REAL(f), out); }
static inline int shim_control(sqlite3_file *f, int op, void *argument)
{
    return SHIM_REAL(f)->pMethods->xFileControl(SHIM_REAL(f), op, argument);
}
static inline int shim_sector(sqlite3_file *f) { return SHIM_REAL(f)->pMethods->xSectorSize(SHIM_REAL(f)); }
static inline int shim_traits(sqlite3_file *f) { return SHIM_REAL(f)->pMethods->xDeviceCharacteristics(SHIM_REAL(f)); }
static inline int shim_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return SHIM_REAL(f)->pMethods->xShmMap(SHIM_REAL(f), page, size, extend, out);
}
static inline int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return SHIM_REAL(f)->pMethods->xShmLock(SHIM_REAL(f), offset, n, flags);
}
static inline void shim_barrier(sqlite3_file *f) { SHIM_REAL(f)->pMethods->xShmBarrier(SHIM_REAL(f)); }
static inline int shim_unmap(sqlite3_file *f, int removes) { return SHIM_REAL(f)->pMethods->xShmUnmap(SHIM_REAL(f), removes); }

/* What a test does itself: reading, writing, cutting, syncing. */
#define SHIM_METHODS(read, write, truncate, sync) \
    { 2, shim_close, read, write, truncate, sync, shim_size, shim_lock, shim_unlock, shim_reserved, shim_control, shim_sector, shim_traits, \
      shim_map, shim_shm_lock, shim_barrier, shim_unmap, NULL, NULL }

/* From within xOpen: the real file, with memory and methods for what is done to it. */
static inline int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags, void *memory,
                            const sqlite3_io_methods *methods)
{
    sqlite3_vfs *real = vfs->pAppData;
    shim_file *shim = (shim_file *)f;
    shim->real = (sqlite3_file *)(shim + 1);
    shim->memory = memory;
    const int code = real->xOpen(real, name, shim->real, flags, ret_flags);
    f->pMethods = shim->real->pMethods ? methods : NULL;
    return code;
}

typedef int (*shim_opens)(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags);
typedef int (*shim_deletes)(sqlite3_vfs *vfs, const char *name, int sync);

/* Becomes the default one. */
static inline void shim_install(sqlite3_vfs *shim, const char *name, shim_opens opens, shim_deletes deletes)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    *shim = *real;
    shim->pNext = NULL;
    shim->zName = name;
    shim->pAppData = real;
    shim->szOsFile = real->szOsFile + (int)sizeof(shim_file);
    shim->xOpen = opens;
    shim->xDelete = deletes;
    sqlite3_vfs_register(shim, 1);
}

#endif
