/* tests/support/folder.h -- a folder for each case, in memory where that is possible: a real disk's syncs would make minutes of some.
 * Setup and teardown of cmocka's cases.  Threads: one user. */
#ifndef TCS_TEST_FOLDER_H
#define TCS_TEST_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FOLDER_PATH_SIZE = 512 };
static char folder[64];

static inline int folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/tocsin-test-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static inline void path_of(const char *name, char ret_path[FOLDER_PATH_SIZE])
{
    snprintf(ret_path, FOLDER_PATH_SIZE, "%s/%s", folder, name);
}

/* With the files in it, and in folders of it; 0: it is gone. */
static inline int folder_remove_at(const char *path)
{
    char below[1024];
    DIR *names = opendir(path);
    for (struct dirent *entry; names && (entry = readdir(names));) {
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(below) != 0) (void)folder_remove_at(below);
    }
    if (names) closedir(names);
    return rmdir(path);
}

static inline int folder_remove(void **state)
{
    (void)state;
    return folder_remove_at(folder);
}

#endif
