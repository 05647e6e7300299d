/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a journal, or removes it.  A copy goes record by record, so that every seal is looked at on the way and a torn end is left
 * behind.  Each record is written as if it had been alone in its commit; a segment is ended where a writer would have ended it.  One that
 * fails leaves what it wrote, for its owner to remove. */
#include "store/journal_format.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { COPY_SEGMENT_SIZE = 1 << 26 };

typedef struct journal_copy {
    const char *folder;
    int file;            /* -1: the next record begins a segment */
    size_t segment_size;
    uint64_t next;
} journal_copy;

static tcs_status fail_to_write(const journal_copy *copy, int cause, tcs_error *err)
{
    return tcsi_fail(err, cause == ENOSPC ? TCS_E_LIMIT : TCS_E_IO, "%s: cannot be written: %s", copy->folder, strerror(cause));
}

static tcs_status write_bytes(journal_copy *copy, const void *bytes, size_t size, tcs_error *err)
{
    const int cause = tcsi_disk_write_all(&tcsi_disk_posix, copy->file, bytes, size);
    copy->segment_size += size;
    return cause == 0 ? TCS_OK : fail_to_write(copy, cause, err);
}

static tcs_status begin_segment(journal_copy *copy, tcs_error *err)
{
    unsigned char header[TCSI_JOURNAL_SEGMENT_HEADER];
    char *path = tcsi_journal_segment_path(copy->folder, copy->next);
    if (!path) return tcsi_fail_memory(err, "a file name");
    copy->file = tcsi_disk_posix.create(tcsi_disk_posix.self, path);
    const int cause = errno;
    tcsi_free(path);
    if (copy->file < 0) return fail_to_write(copy, cause, err);
    copy->segment_size = 0;
    tcsi_journal_segment_write(copy->next, header);
    return write_bytes(copy, header, sizeof header, err);
}

static tcs_status end_segment(journal_copy *copy, tcs_error *err)
{
    if (copy->file < 0) return TCS_OK;
    const bool is_synced = tcsi_disk_posix.sync(tcsi_disk_posix.self, copy->file) == 0;
    const int cause = errno;
    tcsi_disk_posix.close(tcsi_disk_posix.self, copy->file);
    copy->file = -1;
    return is_synced ? TCS_OK : fail_to_write(copy, cause, err);
}

static tcs_status copy_record(journal_copy *copy, const tcsi_journal_record *record, tcs_error *err)
{
    static const unsigned char zeros[8];
    unsigned char bytes[TCSI_JOURNAL_RECORD_HEADER];
    tcsi_journal_header header = { .kind = record->kind, .size = record->size, .sequence = record->sequence,
                                   .durable = record->sequence - 1, .time_ns = record->time_ns };
    tcs_status status = copy->segment_size > COPY_SEGMENT_SIZE ? end_segment(copy, err) : TCS_OK;
    if (status == TCS_OK && copy->file < 0) status = begin_segment(copy, err);
    if (status != TCS_OK) return status;
    tcsi_journal_header_write(&header, record->bytes, bytes);
    status = write_bytes(copy, bytes, sizeof bytes, err);
    if (status == TCS_OK) status = write_bytes(copy, record->bytes, record->size, err);
    if (status == TCS_OK) status = write_bytes(copy, zeros, tcsi_journal_padding(record->size), err);
    copy->next++;
    return status;
}

static tcs_status copy_records(journal_copy *copy, const char *from, tcs_error *err)
{
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    bool is_end = false;
    tcs_status status = tcsi_journal_cursor_open(from, copy->next, &cursor, err);
    if (status != TCS_OK) return status;
    while ((status = tcsi_journal_cursor_next(cursor, &record, &is_end, err)) == TCS_OK && !is_end) {
        if (record.sequence != copy->next)
            status = tcsi_fail(err, TCS_E_FORMAT, "%s: records %llu to %llu are missing", from, (unsigned long long)copy->next,
                               (unsigned long long)record.sequence - 1);
        else status = copy_record(copy, &record, err);
        if (status != TCS_OK) break;
    }
    tcsi_journal_cursor_close(cursor);
    return status;
}

/* That there is no journal yet. */
static tcs_status make_folder(const char *folder, tcs_error *err)
{
    uint64_t *firsts = NULL;
    size_t count = 0;
    if (mkdir(folder, 0750) != 0 && errno != EEXIST) return tcsi_fail(err, TCS_E_IO, "%s: %s", folder, strerror(errno));
    const tcs_status status = tcsi_journal_segments(folder, &firsts, &count, err);
    tcsi_free(firsts);
    if (status != TCS_OK || count == 0) return status;
    return tcsi_fail(err, TCS_E_INVALID, "%s: holds a journal already; a copy replaces nothing", folder);
}

tcs_status tcsi_journal_copy(const char *from, uint64_t sequence, const char *to, uint64_t *ret_next, tcs_error *err)
{
    journal_copy copy = { .folder = to, .file = -1, .next = sequence };
    tcs_error ignored;
    TCS_ASSERT(sequence > 0);
    tcs_status status = make_folder(to, err);
    if (status == TCS_OK) status = begin_segment(&copy, err); /* also where no record follows: it says where the next one goes */
    if (status == TCS_OK && from) status = copy_records(&copy, from, err);
    if (status == TCS_OK) status = end_segment(&copy, err);
    else (void)!end_segment(&copy, &ignored);
    if (status == TCS_OK && tcsi_disk_posix.sync_folder(tcsi_disk_posix.self, to) != 0) status = fail_to_write(&copy, errno, err);
    if (status == TCS_OK) *ret_next = copy.next;
    return status;
}

tcs_status tcsi_journal_remove(const char *folder, tcs_error *err)
{
    uint64_t *firsts = NULL;
    size_t count = 0;
    tcs_status status = tcsi_journal_segments(folder, &firsts, &count, err);
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        char *path = tcsi_journal_segment_path(folder, firsts[i]);
        if (!path) status = tcsi_fail_memory(err, "a file name");
        else if (tcsi_disk_posix.remove(tcsi_disk_posix.self, path) != 0)
            status = tcsi_fail(err, TCS_E_IO, "%s: cannot be removed: %s", path, strerror(errno));
        tcsi_free(path);
    }
    tcsi_free(firsts);
    if (status == TCS_OK && tcsi_disk_posix.sync_folder(tcsi_disk_posix.self, folder) != 0)
        status = tcsi_fail(err, TCS_E_IO, "%s: cannot be synced: %s", folder, strerror(errno));
    return status;
}
