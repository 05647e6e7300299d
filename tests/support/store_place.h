/* tests/support/store_place.h -- one case on both implementations: where a store is, made anew for each case, and what stands in it
 * changed behind its back.  Threads: one user. */
#ifndef TCS_TEST_STORE_PLACE_H
#define TCS_TEST_STORE_PLACE_H

#include "postgresql.h"
#include "store/store.h"
#include "test.h"

#include <sys/stat.h>

typedef struct place {
    bool is_server;
    bool is_there;
    char where[200];
    char folder[64];
    pg_server server;
} place;

static place place_sqlite, place_postgresql = { .is_server = true };

#define ON_BOTH(function)                                                    \
    { "SQLite: " #function, function, NULL, NULL, &place_sqlite },           \
    { "PostgreSQL: " #function, function, NULL, NULL, &place_postgresql }
#define ON_SQLITE(function) { "SQLite: " #function, function, NULL, NULL, &place_sqlite }
#define ON_POSTGRESQL(function) { "PostgreSQL: " #function, function, NULL, NULL, &place_postgresql }

/* In the folder of the case; the text lives until the next call but three. */
static inline const char *place_file(const place *p, const char *name)
{
    static char texts[4][160];
    static int at;
    char *text = texts[at++ % 4];
    snprintf(text, sizeof texts[0], "%s/%s", p->folder, name);
    return text;
}

/* SQL for one of the two, by its own command: psql, sqlite3. */
static inline void place_sql(place *p, const char *text)
{
    char command[4096];
    if (p->is_server) {
        snprintf(command, sizeof command, "set search_path = tocsin; %s", text);
        assert_true(pg_sql(&p->server, command));
        return;
    }
    snprintf(command, sizeof command, "sqlite3 -bail '%s' \"%s\" > /dev/null", p->where + 7, text);
    assert_int_equal(system(command), 0);
}

static inline void place_clear(place *p)
{
    char command[160];
    if (p->is_server && p->is_there) assert_true(pg_sql(&p->server, "drop schema if exists tocsin cascade"));
    glob_t found = { 0 };
    snprintf(command, sizeof command, "%s/*", p->folder);
    if (glob(command, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) unlink(found.gl_pathv[i]);
    globfree(&found);
    assert_true(mkdir(p->folder, 0755) == 0 || access(p->folder, W_OK) == 0);
}

/* The place of a case, with nothing in it; skips where there is none. */
static inline place *place_of(void **state)
{
    place *p = *state;
    if (!*p->folder) {
        tcsi_store *probe = NULL;
        tcs_error err;
        snprintf(p->folder, sizeof p->folder, "/tmp/tocsin-store-%ld-%d", (long)getpid(), p->is_server);
        snprintf(p->where, sizeof p->where, "sqlite:%s/store.db", p->folder);
        place_clear(p);
        const char *where = p->is_server ? "postgresql:///none?host=/nonexistent" : p->where;
        p->is_there = tcsi_store_open(where, NULL, &probe, &err) != TCS_E_UNSUPPORTED;
        tcsi_store_close(probe);
        if (p->is_there && p->is_server) p->is_there = pg_create(&p->server);
        if (p->is_server) snprintf(p->where, sizeof p->where, "%s", p->server.url);
    }
    if (!p->is_there) skip();
    place_clear(p);
    return p;
}

static inline void place_end(place *p)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", p->folder);
    if (*p->folder && system(command) != 0) fprintf(stderr, "%s: is left behind\n", p->folder);
    if (p->is_server) pg_destroy(&p->server);
}

static inline int place_end_all(void **state)
{
    (void)state;
    place_end(&place_sqlite);
    place_end(&place_postgresql);
    return 0;
}

static inline tcsi_store *place_open(const place *p)
{
    tcs_error err = { 0 };
    tcsi_store *store = NULL;
    if (tcsi_store_open(p->where, NULL, &store, &err) != TCS_OK) print_error("%s\n", err.text);
    assert_non_null(store);
    return store;
}

/* As assert_ok, with the words. */
#define assert_done(call)                                                                    \
    do {                                                                                     \
        tcs_status done_status = (call);                                                     \
        if (done_status != TCS_OK) {                                                         \
            print_error("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, err.text);             \
            _fail(__FILE__, __LINE__);                                                       \
        }                                                                                    \
    } while (0)

#define STORE_TEST_MAIN(...)                                                 \
    static int test_run_all(void)                                            \
    {                                                                        \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };                   \
        cmocka_set_message_output(CM_OUTPUT_TAP);                            \
        test_choose_cases();                                                 \
        return cmocka_run_group_tests(tests, NULL, place_end_all);           \
    }                                                                        \
    int main(void)                                                           \
    {                                                                        \
        return test_relay(test_run_all);                                     \
    }

#endif
