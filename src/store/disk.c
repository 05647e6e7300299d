/* SPDX-License-Identifier: Apache-2.0 */
#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int posix_create(void *self, const char *path)
{
    (void)self;
    return open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
}

static ssize_t posix_write(void *self, int file, const void *bytes, size_t size)
{
    (void)self;
    return write(file, bytes, size);
}

static int posix_sync(void *self, int file)
{
    (void)self;
    return fdatasync(file); /* the size is part of the data: without it the bytes could not be found again */
}

static int posix_sync_folder(void *self, const char *path)
{
    (void)self;
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -1;
    const int result = fsync(folder), cause = errno;
    close(folder);
    errno = cause;
    return result;
}

static int posix_remove(void *self, const char *path)
{
    (void)self;
    return unlink(path);
}

static void posix_close(void *self, int file)
{
    (void)self;
    (void)close(file); /* whatever mattered was synced */
}

static int renew_open(int file, off_t offset)
{
    char piece[1 << 16];
    for (;;) {
        const ssize_t size = pread(file, piece, sizeof piece, offset);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return -1;
        if (size == 0) return fdatasync(file);
        for (ssize_t at = 0, written; at < size; at += written) {
            written = pwrite(file, piece + at, (size_t)(size - at), offset + at);
            if (written < 0 && errno == EINTR) written = 0;
            else if (written <= 0) return -1;
        }
        offset += size;
    }
}

static int posix_renew(void *self, const char *path, off_t offset)
{
    (void)self;
    const int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return -1;
    const int result = renew_open(file, offset), cause = errno;
    close(file);
    errno = cause;
    return result;
}

const tcsi_disk tcsi_disk_posix = { posix_create, posix_write, posix_sync, posix_sync_folder, posix_remove, posix_close, posix_renew,
                                    NULL };

int tcsi_disk_write_all(const tcsi_disk *disk, int file, const void *bytes, size_t size)
{
    for (const char *at = bytes; size;) {
        const ssize_t written = disk->write(disk->self, file, at, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return written < 0 ? errno : ENOSPC;
        at += written;
        size -= (size_t)written;
    }
    return 0;
}
