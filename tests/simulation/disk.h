/* tests/simulation/disk.h -- one disk under journal and store, whose power can go at any operation.
 *
 * Files are real (in memory, under /dev/shm), so that whoever reads them reads what the page cache would show.  Beside each the disk keeps
 * what it would have without power: the bytes as of the last sync, and the writes since.  What is fair for a loss of power: each write
 * since the last sync is there or not, sector by sector of 512 bytes; a name whose folder was not synced is there or not; a removed file
 * whose folder was not synced is back or not.  A sync that fails may have written any part, and the rest is never written.
 * From the loss of power on every operation fails, until restart.  Segments that the journal removes are moved to `archive`, so that what
 * was ever kept can be read to the end.
 * Threads: any; restart when nobody has a file open. */
#ifndef TCS_TEST_SIMULATION_DISK_H
#define TCS_TEST_SIMULATION_DISK_H

#include "base/rng.h"
#include "store/disk.h"

typedef struct sim_faults {
    long kill_in;          /* the power goes at the n-th operation from now; 0: it stays */
    long journal_failures; /* so many operations of the journal fail from now on */
    int journal_errno;
    size_t sync_failures;  /* of the journal, so far */
    long store_failures;   /* so many of SQLite's; LONG_MAX: until somebody says otherwise */
    int store_code;        /* SQLITE_FULL, SQLITE_IOERR_WRITE, ... */
} sim_faults;

void sim_disk_install(void); /* once: SQLite writes here from now on */
/* A new, empty disk.  on_kill: told when the power goes, from whichever thread it went under. */
void sim_disk_begin(const char *archive, uint64_t seed, void (*on_kill)(void *self), void *self);
void sim_disk_end(void);
sim_faults *sim_disk_faults(void);
bool sim_disk_is_dead(void);
void sim_disk_kill(void);    /* now */
void sim_disk_restart(void); /* files are what a loss of power may have left of them */
long sim_disk_operations(void);
extern const tcsi_disk sim_disk_journal;

#endif
