/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a journal: segment after segment, record after record, each checked against its seal and its place.  What it cannot read is the
 * end, or damage; journal.h says when it is which.  Before every record the folder is asked for a segment of its number: that is the rule
 * by which a segment ends, and costs a microsecond. */
#include "store/journal_format.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct tcsi_journal_cursor {
    char *folder;
    char *path;       /* room for a segment's */
    uint64_t wanted;  /* records before it are passed over */
    uint64_t next;    /* the record that is read next; 0: no segment was found so far */
    uint64_t segment; /* of the open file; 0: none is open */
    int64_t time_ns;  /* of the last record */
    int file;
    uint64_t offset;  /* of the record that is read next; 0: the segment's header comes first */
    tcsi_buffer bytes;
};

typedef enum found { FOUND_RECORD, FOUND_NOTHING, FOUND_FAILURE } found;

static tcs_status fail_at(const tcsi_journal_cursor *cursor, tcs_status status, const char *what, tcs_error *err)
{
    return tcsi_fail(err, status, "%s/%020llu.journal, byte %llu: %s", cursor->folder, (unsigned long long)cursor->segment,
                     (unsigned long long)cursor->offset, what);
}

tcs_status tcsi_journal_cursor_open(const char *folder, uint64_t sequence, tcsi_journal_cursor **ret_cursor, tcs_error *err)
{
    uint64_t *firsts = NULL;
    size_t count;
    const tcs_status status = tcsi_journal_segments(folder, &firsts, &count, err);
    if (status != TCS_OK) return status;
    tcsi_free(firsts);
    tcsi_journal_cursor *cursor = TCSI_NEW(tcsi_journal_cursor);
    char *copy = tcsi_strdup(folder), *path = tcsi_journal_segment_path(folder, 0);
    if (!cursor || !copy || !path) {
        tcsi_free(cursor);
        tcsi_free(copy);
        tcsi_free(path);
        return tcsi_fail_memory(err, "a journal's cursor");
    }
    *cursor = (tcsi_journal_cursor){ .folder = copy, .path = path, .wanted = sequence, .file = -1, .time_ns = INT64_MIN };
    tcsi_buffer_init(&cursor->bytes, TCSI_JOURNAL_RECORD_MAX + 16);
    *ret_cursor = cursor;
    return TCS_OK;
}

void tcsi_journal_cursor_close(tcsi_journal_cursor *cursor)
{
    if (!cursor) return;
    if (cursor->file >= 0) close(cursor->file);
    tcsi_buffer_deinit(&cursor->bytes);
    tcsi_free(cursor->folder);
    tcsi_free(cursor->path);
    tcsi_free(cursor);
}

/* Exactly size bytes at offset.  false: there are fewer. */
static tcs_status read_at(const tcsi_journal_cursor *cursor, uint64_t offset, void *bytes, size_t size, bool *ret_whole, tcs_error *err)
{
    size_t have = 0;
    while (have < size) {
        const ssize_t count = pread(cursor->file, (char *)bytes + have, size - have, (off_t)(offset + have));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail_at(cursor, TCS_E_IO, strerror(errno), err);
        if (count == 0) break;
        have += (size_t)count;
    }
    *ret_whole = have == size;
    return TCS_OK;
}

/* Opens the segment that begins at `first`; *ret_is_there: it exists. */
static tcs_status open_segment(tcsi_journal_cursor *cursor, uint64_t first, bool *ret_is_there, tcs_error *err)
{
    tcsi_journal_segment_name(cursor->folder, first, cursor->path);
    const int file = open(cursor->path, O_RDONLY | O_CLOEXEC), cause = errno;
    *ret_is_there = file >= 0;
    if (file < 0) return cause == ENOENT ? TCS_OK : tcsi_fail(err, TCS_E_IO, "%s: %s", cursor->folder, strerror(cause));
    if (cursor->file >= 0) close(cursor->file);
    cursor->file = file;
    cursor->segment = cursor->next = first;
    cursor->offset = 0;
    return TCS_OK;
}

/* Opens the last segment that begins at or before the wanted record, or else the first one. */
static tcs_status begin(tcsi_journal_cursor *cursor, bool *ret_is_there, tcs_error *err)
{
    uint64_t *firsts;
    size_t count, i = 0;
    tcs_status status = tcsi_journal_segments(cursor->folder, &firsts, &count, err);
    *ret_is_there = false;
    if (status != TCS_OK) return status;
    while (i + 1 < count && firsts[i + 1] <= cursor->wanted) i++;
    if (count) status = open_segment(cursor, firsts[i], ret_is_there, err);
    tcsi_free(firsts);
    return status;
}

static found read_segment_header(tcsi_journal_cursor *cursor, tcs_error *err)
{
    unsigned char header[TCSI_JOURNAL_SEGMENT_HEADER];
    uint64_t first;
    bool is_whole = false;
    if (read_at(cursor, 0, header, sizeof header, &is_whole, err) != TCS_OK) return FOUND_FAILURE;
    if (!is_whole || !tcsi_journal_segment_read(header, &first) || first != cursor->segment) return FOUND_NOTHING;
    cursor->offset = sizeof header;
    return FOUND_RECORD;
}

/* The record at offset, if it is whole. */
static found read_record(tcsi_journal_cursor *cursor, uint64_t offset, tcsi_journal_header *ret_header, tcs_error *err)
{
    unsigned char bytes[TCSI_JOURNAL_RECORD_HEADER];
    bool is_whole = false;
    if (read_at(cursor, offset, bytes, sizeof bytes, &is_whole, err) != TCS_OK) return FOUND_FAILURE;
    if (!is_whole || !tcsi_journal_header_read(bytes, ret_header)) return FOUND_NOTHING;
    tcsi_buffer_clear(&cursor->bytes);
    if (tcsi_buffer_reserve(&cursor->bytes, ret_header->size + 1, err) != TCS_OK) return FOUND_FAILURE;
    if (read_at(cursor, offset + sizeof bytes, cursor->bytes.data, ret_header->size, &is_whole, err) != TCS_OK) return FOUND_FAILURE;
    return is_whole && tcsi_journal_header_holds(ret_header, cursor->bytes.data) ? FOUND_RECORD : FOUND_NOTHING;
}

/* Does a record behind the unreadable one prove that it had been acknowledged?  Headers stand at multiples of 8. */
static tcs_status check_end(tcsi_journal_cursor *cursor, tcs_error *err)
{
    unsigned char piece[4096 + TCSI_JOURNAL_RECORD_HEADER];
    tcsi_journal_header header;
    for (uint64_t offset = cursor->offset + 8;; offset += 4096) {
        ssize_t size;
        do size = pread(cursor->file, piece, sizeof piece, (off_t)offset);
        while (size < 0 && errno == EINTR);
        if (size < 0) return fail_at(cursor, TCS_E_IO, strerror(errno), err);
        if (size < TCSI_JOURNAL_RECORD_HEADER) return TCS_OK;
        for (size_t i = 0; i < 4096 && i + TCSI_JOURNAL_RECORD_HEADER <= (size_t)size; i += 8) {
            if (!tcsi_journal_header_read(piece + i, &header) || header.durable < cursor->next) continue;
            tcs_error unread = { 0 };
            const found what = read_record(cursor, offset + i, &header, &unread);
            if (what == FOUND_FAILURE) {
                if (err) *err = unread;
                return unread.status;
            }
            if (what == FOUND_RECORD) return fail_at(cursor, TCS_E_FORMAT, "a record that was acknowledged is damaged", err);
        }
    }
}

static void take(tcsi_journal_cursor *cursor, const tcsi_journal_header *header, tcsi_journal_record *ret_record)
{
    cursor->offset += TCSI_JOURNAL_RECORD_HEADER + header->size + tcsi_journal_padding(header->size);
    cursor->next++;
    cursor->time_ns = header->time_ns;
    *ret_record = (tcsi_journal_record){ .sequence = header->sequence, .kind = header->kind, .time_ns = header->time_ns,
                                         .bytes = cursor->bytes.data, .size = header->size, .durable = header->durable };
}

/* Nothing whole stands at the place of the next record: is it the end, or was there one? */
static tcs_status end_or_damage(tcsi_journal_cursor *cursor, tcs_error *err)
{
    uint64_t *firsts, later = 0;
    size_t count;
    const tcs_status status = tcsi_journal_segments(cursor->folder, &firsts, &count, err);
    if (status != TCS_OK) return status;
    if (count && firsts[count - 1] > cursor->next) later = firsts[count - 1];
    tcsi_free(firsts);
    if (later) return fail_at(cursor, TCS_E_FORMAT, "a record that was acknowledged is damaged or missing", err);
    return check_end(cursor, err);
}

tcs_status tcsi_journal_cursor_next(tcsi_journal_cursor *cursor, tcsi_journal_record *ret_record, bool *ret_end, tcs_error *err)
{
    for (;;) {
        tcsi_journal_header header;
        tcs_error unread = { 0 };
        found what = FOUND_RECORD;
        bool is_there = true;
        *ret_end = false;
        if (cursor->segment == 0 || cursor->segment != cursor->next) { /* a segment ends where the next one begins */
            const tcs_status status = cursor->segment ? open_segment(cursor, cursor->next, &is_there, err) : begin(cursor, &is_there, err);
            if (status != TCS_OK) return status;
        }
        if (cursor->segment == 0) {
            *ret_end = true;
            return TCS_OK;
        }
        if (cursor->offset == 0) what = read_segment_header(cursor, &unread);
        if (what == FOUND_RECORD) what = read_record(cursor, cursor->offset, &header, &unread);
        if (what == FOUND_FAILURE) {
            if (err) *err = unread;
            return unread.status;
        }
        if (what == FOUND_NOTHING || header.sequence != cursor->next || header.time_ns < cursor->time_ns) {
            *ret_end = true;
            return end_or_damage(cursor, err);
        }
        take(cursor, &header, ret_record);
        if (ret_record->sequence >= cursor->wanted) return TCS_OK;
    }
}
