/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/books.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int64_t PAUSE_NS_MIN = INT64_C(60000000000), PAUSE_NS_MAX = INT64_C(3600000000000);

enum { TEXT_SIZE = 96, DETAIL_SIZE = 512 };

typedef struct line { /* of one who is refused the same thing again and again */
    char who[TEXT_SIZE], peer[TEXT_SIZE], object[TEXT_SIZE];
    tcsi_role role;
    int status;
    uint64_t count;           /* not written yet */
    int64_t due_ns, pause_ns; /* written again not before due */
} line;

typedef struct note {
    char action[TEXT_SIZE], detail[DETAIL_SIZE];
    int64_t time_ns;
} note;

struct tcsi_books {
    tcsi_store *store;
    uint64_t written;         /* entries; of tick */
    pthread_mutex_t mutex;    /* of what follows */
    line lines[TCSI_BOOKS_LINES];
    size_t line_count;
    note notes[TCSI_BOOKS_NOTES];
    size_t note_count;
    uint64_t refused;
};

tcs_status tcsi_books_open(const char *store, tcsi_books **ret_books, tcs_error *err)
{
    tcsi_books *books = TCSI_NEW(tcsi_books);
    if (!books) return tcsi_fail_memory(err, "the service's entries of the audit log");
    const tcs_status status = tcsi_store_open(store, &(tcsi_store_options){ .must_exist = true }, &books->store, err);
    if (status != TCS_OK) {
        tcsi_free(books);
        return status;
    }
    pthread_mutex_init(&books->mutex, NULL);
    *ret_books = books;
    return TCS_OK;
}

void tcsi_books_close(tcsi_books *books)
{
    if (!books) return;
    for (size_t i = 0; i < books->line_count; i++) books->lines[i].due_ns = INT64_MIN;
    tcsi_books_tick(books, tcsi_clock_wall_ns());
    tcsi_store_close(books->store);
    pthread_mutex_destroy(&books->mutex);
    tcsi_free(books);
}

/* ---- what comes ---- */

void tcsi_books_note(tcsi_books *books, const char *action, const char *detail, int64_t now_ns)
{
    pthread_mutex_lock(&books->mutex);
    const bool has_room = books->note_count < TCSI_BOOKS_NOTES;
    if (has_room) {
        note *n = &books->notes[books->note_count++];
        n->time_ns = now_ns;
        snprintf(n->action, sizeof n->action, "%s", action);
        snprintf(n->detail, sizeof n->detail, "%s", detail);
    }
    pthread_mutex_unlock(&books->mutex);
    if (!has_room) tcsi_log(TCSI_LOG_ERROR, "SERVE-AUDIT-LOST", "no entry of the audit log says: %s %s", action, detail);
}

static bool is_line(const line *l, int status, const char *object, const char *who, const char *peer)
{
    return l->status == status && strcmp(l->object, object) == 0 && strcmp(l->who, who) == 0 && strcmp(l->peer, peer) == 0;
}

/* The last line is for everybody who has none of his own. */
static line *find_line(tcsi_books *books, const tcsi_request *request, int status, const char *object)
{
    for (size_t i = 0; i < books->line_count; i++)
        if (is_line(&books->lines[i], status, object, request->who, request->peer)) return &books->lines[i];
    const bool is_last = books->line_count >= TCSI_BOOKS_LINES - 1;
    if (books->line_count == TCSI_BOOKS_LINES) return &books->lines[TCSI_BOOKS_LINES - 1];
    line *l = &books->lines[books->line_count++];
    *l = (line){ .status = status, .role = is_last ? TCSI_ROLE_NONE : request->role, .pause_ns = PAUSE_NS_MIN };
    snprintf(l->who, sizeof l->who, "%s", is_last ? "" : request->who);
    snprintf(l->peer, sizeof l->peer, "%s", is_last ? "several" : request->peer);
    snprintf(l->object, sizeof l->object, "%s", is_last ? "several" : object);
    return l;
}

void tcsi_books_observe(void *self, const tcsi_request *request, int status, int64_t duration_ns)
{
    tcsi_books *books = self;
    char object[TEXT_SIZE];
    (void)duration_ns;
    if (status != 401 && status != 403) return;
    snprintf(object, sizeof object, "%s %s", tcsi_method_names[request->method], request->route ? request->route->path : "");
    pthread_mutex_lock(&books->mutex);
    find_line(books, request, status, object)->count++;
    books->refused++;
    pthread_mutex_unlock(&books->mutex);
}

uint64_t tcsi_books_refused(tcsi_books *books)
{
    pthread_mutex_lock(&books->mutex);
    const uint64_t refused = books->refused;
    pthread_mutex_unlock(&books->mutex);
    return refused;
}

/* ---- what is written ---- */

static bool write_entry(tcsi_books *books, const char *actor, const char *action, const char *object, const char *detail, int64_t time_ns)
{
    char id[TEXT_SIZE];
    tcs_error failure;
    snprintf(id, sizeof id, "service-%ld-%" PRId64 "-%" PRIu64, (long)getpid(), time_ns, books->written);
    const tcsi_store_audit_entry entry = { .id = id, .time_ns = time_ns, .actor = actor, .action = action, .object = object,
                                           .detail = detail };
    if (tcsi_store_audit_put(books->store, &entry, &failure) != TCS_OK) {
        tcsi_log(TCSI_LOG_WARNING, "SERVE-AUDIT-WAITS", "an entry of the audit log waits: %s", failure.text);
        return false;
    }
    books->written++;
    return true;
}

/* A first one that waits; false: there is none. */
static bool take_note(tcsi_books *books, note *ret_note)
{
    pthread_mutex_lock(&books->mutex);
    const bool is_there = books->note_count > 0;
    if (is_there) *ret_note = books->notes[0];
    pthread_mutex_unlock(&books->mutex);
    return is_there;
}

static void drop_note(tcsi_books *books)
{
    pthread_mutex_lock(&books->mutex);
    books->note_count--;
    memmove(books->notes, books->notes + 1, books->note_count * sizeof *books->notes);
    pthread_mutex_unlock(&books->mutex);
}

/* A line that was quiet for as long as it would have to wait next is forgotten, so that its place is free for another. */
static bool take_line(tcsi_books *books, size_t at, int64_t now_ns, line *ret_line)
{
    pthread_mutex_lock(&books->mutex);
    line *l = &books->lines[at];
    *ret_line = *l;
    const bool is_due = at < books->line_count && l->count > 0 && now_ns >= l->due_ns;
    const bool is_quiet = at < books->line_count && l->count == 0 && now_ns >= l->due_ns + l->pause_ns;
    if (is_quiet) {
        books->line_count--;
        memmove(l, l + 1, (books->line_count - at) * sizeof *l);
    }
    pthread_mutex_unlock(&books->mutex);
    return is_due;
}

/* By what it is, since lines may have moved; one that grew keeps what came since. */
static void note_written(tcsi_books *books, const line *written, int64_t now_ns)
{
    pthread_mutex_lock(&books->mutex);
    for (size_t i = 0; i < books->line_count; i++) {
        line *l = &books->lines[i];
        if (!is_line(l, written->status, written->object, written->who, written->peer)) continue;
        l->count -= written->count;
        l->due_ns = now_ns + l->pause_ns;
        l->pause_ns = l->pause_ns * 2 < PAUSE_NS_MAX ? l->pause_ns * 2 : PAUSE_NS_MAX;
    }
    pthread_mutex_unlock(&books->mutex);
}

static bool write_line(tcsi_books *books, const line *l, int64_t now_ns)
{
    tcs_error failure;
    tcsi_json_writer writer;
    tcsi_buffer detail;
    tcsi_buffer_init(&detail, 4096);
    tcsi_json_writer_init(&writer, &detail, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_integer(&writer, "status", l->status);
    tcsi_json_put_string(&writer, "role", tcsi_role_names[l->role]);
    tcsi_json_put_string(&writer, "peer", l->peer);
    tcsi_json_put_integer(&writer, "count", (int64_t)l->count);
    tcsi_json_end_object(&writer);
    const bool is_written = tcsi_json_finish(&writer, &failure) == TCS_OK &&
                            write_entry(books, l->who, "refused", l->object, detail.data, now_ns);
    tcsi_buffer_deinit(&detail);
    return is_written;
}

void tcsi_books_tick(tcsi_books *books, int64_t now_ns)
{
    note n;
    line l;
    while (take_note(books, &n) && write_entry(books, "service", n.action, "", n.detail, n.time_ns)) drop_note(books);
    for (size_t i = 0; i < TCSI_BOOKS_LINES; i++)
        if (take_line(books, i, now_ns, &l) && write_line(books, &l, now_ns)) note_written(books, &l, now_ns);
}
