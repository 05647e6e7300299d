/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a journal, in two stages that overlap:
 *
 *     append ──> filling ── write, deliver (whoever has is_writing) ──> unsynced ── sync (whoever has is_syncing) ──> durable
 *
 * Who has a right works without the lock; everybody else waits for `turned`.  So a record is written and delivered while the one before it
 * is on its way to the disk.  A record's fate is told by its ticket: durable, when its sequence number has been reached; lost, when its
 * generation is over before it was delivered; refused, when the sync of it failed.
 * After a sync that failed nobody knows what the disk has: the journal is torn.  What was delivered and is not durable is kept in memory
 * (`unsynced`), and stands at the beginning of the next segment, before anything new. */
#include "store/journal_format.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENT_SIZE = 1 << 26, PENDING_SIZE_MAX = 1 << 26 };

typedef struct batch {
    tcsi_buffer bytes;  /* records as they are written */
    void **contexts;    /* one a record */
    size_t count, capacity;
    uint64_t sequence;  /* of the first one */
} batch;

struct tcsi_journal {
    tcsi_journal_options options;
    char *folder;
    int lock_file;
    pthread_mutex_t mutex;
    pthread_cond_t turned;

    /* under the mutex */
    batch filling;
    bool is_writing, is_syncing;
    bool is_torn;
    tcsi_buffer unsynced;         /* delivered and not durable, as written; whoever writes adds, whoever syncs takes away */
    bool is_held;                 /* append fails as `held` does */
    tcs_error held;
    uint64_t delivered, durable;  /* records up to these were delivered; are on the disk */
    int64_t time_delivered_ns;    /* of the last record delivered */
    uint64_t refused;             /* up to this one nobody waits any more: a sync failed */
    uint64_t generation;          /* counts failures of writing */
    uint64_t lost_from;           /* of the last one: its records, from this one on, are lost */
    int64_t time_ns;              /* of the last record appended */
    uint64_t sequence_first, sync_count, failure_count;
    uint64_t segment_first;       /* of the last segment that is counted */
    size_t segment_count;
    tcs_error failure;            /* the last one */

    /* with the right to write */
    batch writing;
    int file;                     /* -1: the next batch begins a segment */
    size_t segment_size;
};

static tcs_status lock_folder(tcsi_journal *journal, tcs_error *err)
{
    const size_t size = strlen(journal->folder) + sizeof "/LOCK";
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char *path = tcsi_alloc(size);
    if (!path) return tcsi_fail_memory(err, "a file name");
    snprintf(path, size, "%s/LOCK", journal->folder);
    journal->lock_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    tcs_status status = TCS_OK;
    if (journal->lock_file < 0) {
        status = tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(errno));
    } else if (fcntl(journal->lock_file, F_SETLK, &range) != 0) {
        const bool is_held = fcntl(journal->lock_file, F_GETLK, &range) == 0 && range.l_type != F_UNLCK;
        status = tcsi_fail(err, TCS_E_IO, "%s: in use by process %ld", journal->folder, is_held ? (long)range.l_pid : 0L);
    }
    tcsi_free(path);
    return status;
}

/* Invariant 4, from offset in the segment of record `first` on. */
static tcs_status renew(const tcsi_journal *journal, uint64_t first, uint64_t offset, tcs_error *err)
{
    const tcsi_disk *disk = journal->options.disk;
    char *path = tcsi_journal_segment_path(journal->folder, first);
    if (!path) return tcsi_fail_memory(err, "a file name");
    int cause = disk->renew(disk->self, path, (off_t)offset) == 0 ? 0 : errno;
    if (!cause && disk->sync_folder(disk->self, journal->folder) != 0) cause = errno;
    const tcs_status status = cause ? tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(cause)) : TCS_OK;
    tcsi_free(path);
    return status;
}

/* ---- what is there ---- */

/* Where the records begin that none so far says to be durable. */
typedef struct trail {
    struct place {
        uint64_t sequence, offset;
    } *places;
    size_t begin, end, capacity;
} trail;

static tcs_status follow(trail *t, const tcsi_journal_record *record, uint64_t offset, tcs_error *err)
{
    while (t->begin < t->end && t->places[t->begin].sequence <= record->durable) t->begin++;
    if (t->begin == t->end) t->begin = t->end = 0;
    if (!tcsi_grow((void **)&t->places, &t->capacity, t->end, sizeof *t->places, 64)) return tcsi_fail_memory(err, "a journal's end");
    t->places[t->end++] = (struct place){ record->sequence, offset };
    return TCS_OK;
}

/* The last segment, that of record `last`, is read whole; that the ones before it end where they should is seen when they are read. */
static tcs_status recover_end(tcsi_journal *journal, uint64_t last, tcs_error *err)
{
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    trail t = { 0 };
    bool is_end = false;
    uint64_t offset = TCSI_JOURNAL_SEGMENT_HEADER;
    tcs_status status = tcsi_journal_cursor_open(journal->folder, last, &cursor, err);
    if (status != TCS_OK) return status;
    while ((status = tcsi_journal_cursor_next(cursor, &record, &is_end, err)) == TCS_OK && !is_end) {
        if ((status = follow(&t, &record, offset, err)) != TCS_OK) break;
        journal->durable = record.sequence;
        journal->time_ns = journal->time_delivered_ns = record.time_ns;
        offset += TCSI_JOURNAL_RECORD_HEADER + record.size + tcsi_journal_padding(record.size);
    }
    tcsi_journal_cursor_close(cursor);
    if (status == TCS_OK && journal->durable >= last) {
        const struct place *first = &t.places[t.begin];
        status = renew(journal, last, first->sequence == last ? 0 : first->offset, err);
    }
    tcsi_free(t.places);
    return status;
}

/* Where the journal stands: the last record that is whole. */
static tcs_status recover(tcsi_journal *journal, tcs_error *err)
{
    uint64_t *firsts;
    tcs_status status = tcsi_journal_segments(journal->folder, &firsts, &journal->segment_count, err);
    if (status != TCS_OK) return status;
    const size_t count = journal->segment_count;
    const uint64_t last = count ? firsts[count - 1] : 0;
    journal->sequence_first = count ? firsts[0] : 1;
    journal->durable = count ? last - 1 : 0;
    tcsi_free(firsts);
    if (count) status = recover_end(journal, last, err);
    if (count && journal->durable < last) journal->segment_count--; /* it holds nothing, and will be begun anew */
    journal->segment_first = journal->durable;
    journal->delivered = journal->refused = journal->durable;
    return status;
}

/* The last segment may hold no record: then time comes from the one before it. */
static tcs_status recover_time(tcsi_journal *journal, tcs_error *err)
{
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    bool is_end;
    if (journal->durable < journal->sequence_first || journal->time_delivered_ns != INT64_MIN) return TCS_OK;
    tcs_status status = tcsi_journal_cursor_open(journal->folder, journal->durable, &cursor, err);
    if (status != TCS_OK) return status;
    status = tcsi_journal_cursor_next(cursor, &record, &is_end, err);
    if (status == TCS_OK && !is_end) journal->time_ns = journal->time_delivered_ns = record.time_ns;
    tcsi_journal_cursor_close(cursor);
    return status;
}

tcs_status tcsi_journal_open(const char *folder, const tcsi_journal_options *options, tcsi_journal **ret_journal, tcs_error *err)
{
    tcsi_journal *journal = TCSI_NEW(tcsi_journal);
    if (!journal) return tcsi_fail_memory(err, "a journal");
    journal->options = *options;
    if (!journal->options.segment_size) journal->options.segment_size = SEGMENT_SIZE;
    if (!journal->options.pending_size_max) journal->options.pending_size_max = PENDING_SIZE_MAX;
    if (!journal->options.disk) journal->options.disk = &tcsi_disk_posix;
    journal->file = journal->lock_file = -1;
    journal->time_ns = journal->time_delivered_ns = INT64_MIN;
    /* What a record takes beside its bytes is not counted by those who declare how much may wait. */
    const size_t size_max = tcsi_size_sum(journal->options.pending_size_max, TCSI_JOURNAL_RECORD_MAX + 4096);
    tcsi_buffer_init(&journal->filling.bytes, size_max);
    tcsi_buffer_init(&journal->writing.bytes, size_max);
    tcsi_buffer_init(&journal->unsynced, SIZE_MAX); /* what is delivered stands in `pending` no more, and more may be */
    if (pthread_mutex_init(&journal->mutex, NULL) != 0) {
        tcsi_free(journal);
        return tcsi_fail_memory(err, "a lock");
    }
    if (pthread_cond_init(&journal->turned, NULL) != 0) {
        pthread_mutex_destroy(&journal->mutex);
        tcsi_free(journal);
        return tcsi_fail_memory(err, "a lock");
    }
    if (options->log) {
        journal->is_held = true;
        (void)tcsi_fail(&journal->held, TCS_E_CANCELLED, "the journal does not know yet where it goes on");
        *ret_journal = journal;
        return TCS_OK;
    }
    tcs_status status = TCS_OK;
    journal->folder = tcsi_strdup(folder);
    if (!journal->folder) status = tcsi_fail_memory(err, "a folder's name");
    else if (mkdir(folder, 0750) != 0 && errno != EEXIST) status = tcsi_fail(err, TCS_E_IO, "%s: %s", folder, strerror(errno));
    if (status == TCS_OK) status = lock_folder(journal, err);
    if (status == TCS_OK) status = recover(journal, err);
    if (status == TCS_OK) status = recover_time(journal, err);
    if (status == TCS_OK) *ret_journal = journal;
    else tcsi_journal_close(journal);
    return status;
}

static void lose(tcsi_journal *journal, batch *records)
{
    for (size_t i = 0; journal->options.lose && i < records->count; i++) journal->options.lose(journal->options.self, records->contexts[i]);
    tcsi_buffer_clear(&records->bytes);
    records->count = 0;
}

static void batch_deinit(batch *records)
{
    tcsi_buffer_deinit(&records->bytes);
    tcsi_free(records->contexts);
}

void tcsi_journal_close(tcsi_journal *journal)
{
    if (!journal) return;
    if (journal->file >= 0) journal->options.disk->close(journal->options.disk->self, journal->file);
    if (journal->lock_file >= 0) close(journal->lock_file);
    lose(journal, &journal->filling);
    batch_deinit(&journal->filling);
    batch_deinit(&journal->writing);
    tcsi_buffer_deinit(&journal->unsynced);
    pthread_cond_destroy(&journal->turned);
    pthread_mutex_destroy(&journal->mutex);
    tcsi_free(journal->folder);
    tcsi_free(journal);
}

/* Room for one more record; what was in records stands when there is none. */
static tcs_status batch_reserve(batch *records, size_t size, tcs_error *err)
{
    if (!tcsi_grow((void **)&records->contexts, &records->capacity, records->count, sizeof *records->contexts, 64))
        return tcsi_fail_memory(err, "records of a journal");
    return tcsi_buffer_reserve(&records->bytes, TCSI_JOURNAL_RECORD_HEADER + size + 8, err);
}

/* For which there is room. */
static void batch_add(batch *records, tcsi_journal_header *header, const void *bytes, void *context)
{
    unsigned char *end = (unsigned char *)records->bytes.data + records->bytes.size;
    const size_t padding = tcsi_journal_padding(header->size);
    tcsi_journal_header_write(header, bytes, end);
    if (header->size) memcpy(end + TCSI_JOURNAL_RECORD_HEADER, bytes, header->size);
    memset(end + TCSI_JOURNAL_RECORD_HEADER + header->size, 0, padding);
    records->bytes.size += TCSI_JOURNAL_RECORD_HEADER + header->size + padding;
    records->contexts[records->count++] = context;
}

tcs_status tcsi_journal_append(tcsi_journal *journal, uint32_t kind, int64_t time_ns, const void *bytes, size_t size, void *context,
                               tcsi_journal_ticket *ret_ticket, tcs_error *err)
{
    if (size > TCSI_JOURNAL_RECORD_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "a record of %zu bytes, at most %d", size, (int)TCSI_JOURNAL_RECORD_MAX);
    pthread_mutex_lock(&journal->mutex);
    batch *records = &journal->filling;
    const size_t pending = records->bytes.size;
    tcs_status status = TCS_OK;
    if (journal->is_held) {
        status = journal->held.status;
        if (err) *err = journal->held;
    } else if (pending && size + pending > journal->options.pending_size_max)
        status = tcsi_fail(err, TCS_E_LIMIT, "%zu bytes wait for the disk, at most %zu", pending, journal->options.pending_size_max);
    else status = batch_reserve(records, size, err);
    if (status == TCS_OK) {
        if (!records->count) records->sequence = journal->delivered + (journal->is_writing ? journal->writing.count : 0) + 1;
        if (time_ns > journal->time_ns) journal->time_ns = time_ns;
        tcsi_journal_header header = { .kind = kind, .size = size, .sequence = records->sequence + records->count,
                                       .durable = journal->durable, .time_ns = journal->time_ns };
        batch_add(records, &header, bytes, context);
        *ret_ticket = (tcsi_journal_ticket){ header.sequence, journal->generation };
    }
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

/* ---- onto the disk ---- */

static tcs_status begin_segment(tcsi_journal *journal, uint64_t first, tcs_error *err)
{
    const tcsi_disk *disk = journal->options.disk;
    unsigned char header[TCSI_JOURNAL_SEGMENT_HEADER];
    char *path = tcsi_journal_segment_path(journal->folder, first);
    if (!path) return tcsi_fail_memory(err, "a file name");
    tcsi_journal_segment_write(first, header);
    int cause = 0;
    journal->file = disk->create(disk->self, path);
    if (journal->file < 0) cause = errno;
    else cause = tcsi_disk_write_all(disk, journal->file, header, sizeof header);
    if (!cause && disk->sync_folder(disk->self, journal->folder) != 0) cause = errno;
    journal->segment_size = sizeof header;
    const tcs_status status = cause ? tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(cause)) : TCS_OK;
    tcsi_free(path);
    return status;
}

static tcs_status write_bytes(tcsi_journal *journal, const tcsi_buffer *bytes, tcs_error *err)
{
    const int cause = bytes->size ? tcsi_disk_write_all(journal->options.disk, journal->file, bytes->data, bytes->size) : 0;
    journal->segment_size += bytes->size;
    return cause ? tcsi_fail(err, TCS_E_IO, "%s: %s", journal->folder, strerror(cause)) : TCS_OK;
}

/* The batch in `writing`, behind what is to be written once more in a segment that begins where the durable records end. */
static tcs_status write_batch(tcsi_journal *journal, bool is_torn, uint64_t first, tcs_error *err)
{
    tcs_status status = journal->file < 0 ? begin_segment(journal, first, err) : TCS_OK;
    if (status == TCS_OK && is_torn) status = write_bytes(journal, &journal->unsynced, err);
    return status == TCS_OK ? write_bytes(journal, &journal->writing.bytes, err) : status;
}

static tcs_status write_log(tcsi_journal *journal, tcs_error *err)
{
    const tcsi_journal_log *log = journal->options.log;
    const batch *records = &journal->writing;
    return log->write(log->self, records->sequence, records->sequence + records->count - 1, records->bytes.data, records->bytes.size, err);
}

/* The record at *offset, whose seal was looked at or needs no look. */
static bool next_record(const void *bytes, size_t size, size_t *offset, tcsi_journal_header *ret_header, tcsi_journal_record *ret_record)
{
    const unsigned char *at = (const unsigned char *)bytes + *offset;
    const size_t left = size - *offset;
    if (left < TCSI_JOURNAL_RECORD_HEADER || !tcsi_journal_header_read(at, ret_header)) return false;
    const size_t room = left - TCSI_JOURNAL_RECORD_HEADER;
    if (ret_header->size > room || tcsi_journal_padding(ret_header->size) > room - ret_header->size) return false;
    *ret_record = (tcsi_journal_record){ .sequence = ret_header->sequence, .kind = ret_header->kind, .time_ns = ret_header->time_ns,
                                         .bytes = at + TCSI_JOURNAL_RECORD_HEADER, .size = ret_header->size };
    *offset += TCSI_JOURNAL_RECORD_HEADER + ret_header->size + tcsi_journal_padding(ret_header->size);
    return true;
}

tcs_status tcsi_journal_batch_next(const void *bytes, size_t size, size_t *offset, tcsi_journal_record *ret_record, tcs_error *err)
{
    tcsi_journal_header header;
    const size_t begin = *offset;
    if (next_record(bytes, size, offset, &header, ret_record) && tcsi_journal_header_holds(&header, ret_record->bytes)) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "no record of a journal at byte %zu of %zu", begin, size);
}

/* The time of the last one. */
static int64_t deliver_batch(tcsi_journal *journal, int64_t time_ns)
{
    const batch *records = &journal->writing;
    size_t offset = 0;
    for (size_t i = 0; i < records->count; i++) {
        tcsi_journal_header header;
        tcsi_journal_record record;
        TCS_ASSERT(next_record(records->bytes.data, records->bytes.size, &offset, &header, &record));
        journal->options.deliver(journal->options.self, &record, records->contexts[i]);
        time_ns = header.time_ns;
    }
    return time_ns;
}

static void batch_clear(batch *records)
{
    tcsi_buffer_clear(&records->bytes);
    records->count = 0;
}

/* With the mutex: what has been appended and was not delivered is lost. */
static void lose_waiting(tcsi_journal *journal, const tcs_error *why)
{
    journal->lost_from = journal->delivered + 1;
    journal->generation++;
    journal->failure = *why;
    journal->time_ns = journal->time_delivered_ns;
    lose(journal, &journal->filling);
}

/* With the mutex, while nobody syncs and the journal is not torn: what was delivered so far onto the disk.  It may be written meanwhile. */
static void sync_delivered(tcsi_journal *journal)
{
    const tcsi_disk *disk = journal->options.disk;
    const uint64_t until = journal->delivered;
    const int64_t time_ns = journal->time_delivered_ns;
    const size_t size = journal->unsynced.size;
    const int file = journal->file;
    journal->is_syncing = true;
    pthread_mutex_unlock(&journal->mutex);
    const int cause = disk->sync(disk->self, file) == 0 ? 0 : errno;
    if (!cause && journal->options.secure) journal->options.secure(journal->options.self, until, time_ns);
    pthread_mutex_lock(&journal->mutex);
    journal->is_syncing = false;
    if (cause) {
        (void)tcsi_fail(&journal->failure, TCS_E_IO, "%s: %s", journal->folder, strerror(cause));
        journal->failure_count++;
        journal->is_torn = true;
        journal->refused = until;
    } else {
        journal->durable = until;
        journal->sync_count++;
        memmove(journal->unsynced.data, journal->unsynced.data + size, journal->unsynced.size - size); /* what was written meanwhile */
        journal->unsynced.size -= size;
    }
    pthread_cond_broadcast(&journal->turned);
}

/* With the mutex and the right to write: what the segment holds is durable then, or the journal is torn. */
static void finish_segment(tcsi_journal *journal)
{
    while (journal->is_syncing) pthread_cond_wait(&journal->turned, &journal->mutex);
    if (!journal->is_torn && journal->delivered > journal->durable) sync_delivered(journal);
    if (journal->file >= 0) journal->options.disk->close(journal->options.disk->self, journal->file);
    journal->file = -1;
}

/* With the mutex: the batch was written and delivered, into a segment of its own where one was begun with record `first`. */
static void note_delivered(tcsi_journal *journal, uint64_t first, int64_t time_ns)
{
    const tcsi_buffer *bytes = &journal->writing.bytes;
    journal->delivered += journal->writing.count;
    journal->time_delivered_ns = time_ns;
    if (journal->options.log) {
        journal->durable = journal->delivered;
        journal->sync_count++;
        return;
    }
    if (bytes->size) memcpy(journal->unsynced.data + journal->unsynced.size, bytes->data, bytes->size); /* for which commit made room */
    journal->unsynced.size += bytes->size;
    if (first > journal->segment_first) {
        journal->segment_count++;
        journal->segment_first = first;
    }
}

/* With the mutex: the batch could not be written.  The segment is left as it is, and nothing more goes into it. */
static void note_lost(tcsi_journal *journal, const tcs_error *failure)
{
    if (!journal->options.log) finish_segment(journal);
    if (journal->is_torn) journal->refused = journal->delivered;
    journal->failure_count++;
    lose(journal, &journal->writing); /* and what was appended meanwhile stands behind it */
    lose_waiting(journal, failure);
}

/* Called with the mutex, by the one who got the right to write; returns with the mutex. */
static void commit(tcsi_journal *journal)
{
    const bool has_log = journal->options.log != NULL;
    const batch empty = journal->writing;
    tcs_error failure = { 0 };
    journal->writing = journal->filling;
    journal->filling = empty;
    journal->is_writing = true;
    if (journal->file >= 0 && (journal->is_torn || journal->segment_size >= journal->options.segment_size)) finish_segment(journal);
    const bool is_torn = journal->is_torn; /* as nobody syncs then, it stays so until this is over; otherwise it may become so meanwhile */
    const uint64_t first = !has_log && journal->file < 0 ? journal->durable + 1 : 0;
    int64_t time_ns = journal->time_delivered_ns;
    tcs_status status = has_log ? TCS_OK : tcsi_buffer_reserve(&journal->unsynced, journal->writing.bytes.size, &failure);
    pthread_mutex_unlock(&journal->mutex);
    if (status == TCS_OK) status = has_log ? write_log(journal, &failure) : write_batch(journal, is_torn, first, &failure);
    if (status == TCS_OK) time_ns = deliver_batch(journal, time_ns);
    pthread_mutex_lock(&journal->mutex);
    if (status == TCS_OK && is_torn) journal->is_torn = false;
    if (status == TCS_OK) note_delivered(journal, first, time_ns);
    else note_lost(journal, &failure);
    batch_clear(&journal->writing);
    journal->is_writing = false;
    pthread_cond_broadcast(&journal->turned);
}

/* Of an older generation a record was delivered if it was so before the failure, which took everything from lost_from on. */
static bool is_lost(const tcsi_journal *journal, tcsi_journal_ticket ticket)
{
    return ticket.generation != journal->generation &&
           (ticket.generation + 1 != journal->generation || ticket.sequence >= journal->lost_from);
}

tcs_status tcsi_journal_sync(tcsi_journal *journal, tcsi_journal_ticket ticket, tcs_error *err)
{
    tcs_status status = TCS_OK;
    pthread_mutex_lock(&journal->mutex);
    while (!is_lost(journal, ticket) && ticket.sequence > journal->durable && ticket.sequence > journal->refused) {
        const bool is_delivered = ticket.sequence <= journal->delivered;
        if (!journal->is_writing && (!is_delivered || journal->is_torn)) commit(journal);
        else if (is_delivered && !journal->is_syncing && !journal->is_torn) sync_delivered(journal);
        else pthread_cond_wait(&journal->turned, &journal->mutex);
    }
    if (is_lost(journal, ticket) || ticket.sequence > journal->durable) {
        status = journal->failure.status;
        if (err) *err = journal->failure;
    }
    pthread_mutex_unlock(&journal->mutex);
    return status;
}

void tcsi_journal_hold(tcsi_journal *journal, const tcs_error *why)
{
    pthread_mutex_lock(&journal->mutex);
    journal->held = *why;
    if (!journal->is_held) {
        journal->is_held = true;
        while (journal->is_writing) pthread_cond_wait(&journal->turned, &journal->mutex);
        lose_waiting(journal, why);
        pthread_cond_broadcast(&journal->turned);
    }
    pthread_mutex_unlock(&journal->mutex);
}

void tcsi_journal_lead(tcsi_journal *journal, uint64_t sequence, int64_t time_ns)
{
    pthread_mutex_lock(&journal->mutex);
    TCS_ASSERT(journal->is_held && sequence >= journal->durable);
    journal->durable = journal->delivered = sequence;
    if (time_ns > journal->time_delivered_ns) journal->time_ns = journal->time_delivered_ns = time_ns;
    journal->is_held = false;
    pthread_mutex_unlock(&journal->mutex);
}

/* Of the files in the folder those that hold nothing from sequence on. */
static tcs_status remove_segments(tcsi_journal *journal, const uint64_t *firsts, size_t count, uint64_t sequence, size_t *ret_removed,
                                  tcs_error *err)
{
    const tcsi_disk *disk = journal->options.disk;
    size_t removed = 0;
    tcs_status status = TCS_OK;
    while (status == TCS_OK && removed + 1 < count && firsts[removed + 1] <= sequence) {
        char *path = tcsi_journal_segment_path(journal->folder, firsts[removed]);
        if (!path) status = tcsi_fail_memory(err, "a file name");
        else if (disk->remove(disk->self, path) != 0) status = tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(errno));
        else removed++;
        tcsi_free(path);
    }
    if (removed && disk->sync_folder(disk->self, journal->folder) != 0 && status == TCS_OK)
        status = tcsi_fail(err, TCS_E_IO, "%s: %s", journal->folder, strerror(errno));
    *ret_removed = removed;
    return status;
}

tcs_status tcsi_journal_forget(tcsi_journal *journal, uint64_t sequence, tcs_error *err)
{
    uint64_t *firsts;
    size_t count, removed = 0;
    if (journal->options.log) {
        journal->options.log->forget(journal->options.log->self, sequence);
        return TCS_OK;
    }
    tcs_status status = tcsi_journal_segments(journal->folder, &firsts, &count, err);
    if (status != TCS_OK) return status;
    status = remove_segments(journal, firsts, count, sequence, &removed, err);
    pthread_mutex_lock(&journal->mutex);
    if (removed) journal->sequence_first = firsts[removed];
    journal->segment_count -= removed;
    pthread_mutex_unlock(&journal->mutex);
    tcsi_free(firsts);
    return status;
}

tcsi_journal_stats tcsi_journal_stat(tcsi_journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    const tcsi_journal_stats stats = { .sequence_first = journal->sequence_first, .sequence_next = journal->durable + 1,
                                       .sync_count = journal->sync_count, .failure_count = journal->failure_count,
                                       .segment_count = journal->segment_count, .pending_size = journal->filling.bytes.size };
    pthread_mutex_unlock(&journal->mutex);
    return stats;
}
