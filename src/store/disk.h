/* store/disk.h -- the few operations on files that durable data rests on, as a table, so that a test can make each of them fail.
 * All answer as POSIX does: -1 with errno where something failed.  What is fair for a failing disk to do: write less than asked, or
 * nothing; lose everything since the last sync that succeeded, in any order; fail a sync and have lost those bytes.
 * Threads: as the table in use; tcsi_disk_posix is reentrant. */
#ifndef TCS_STORE_DISK_H
#define TCS_STORE_DISK_H

#include "base/status.h"

#include <stdint.h>
#include <sys/types.h>

typedef struct tcsi_disk {
    int (*create)(void *self, const char *path);            /* for reading and writing; what was there is gone */
    ssize_t (*write)(void *self, int file, const void *bytes, size_t size); /* at the end */
    int (*sync)(void *self, int file);                      /* what was written is on the disk */
    int (*sync_folder)(void *self, const char *path);       /* and so are the names in it */
    int (*remove)(void *self, const char *path);
    void (*close)(void *self, int file);
    /* What can be read of the file from offset on is written once more where it stands, and synced: after a sync that failed, memory may be
     * the only place that has it, and no later sync would write it. */
    int (*renew)(void *self, const char *path, off_t offset);
    void *self;
} tcsi_disk;

extern const tcsi_disk tcsi_disk_posix;

/* All of it, however many writes that takes; 0 or errno. */
int tcsi_disk_write_all(const tcsi_disk *disk, int file, const void *bytes, size_t size);

#endif
