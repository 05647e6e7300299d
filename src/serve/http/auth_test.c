/* Tokens under a clock of ours: made, kept in a file, checked once, forgotten in time, and guessed at. */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "serve/http/auth.h"

#include <fcntl.h>
#include <sys/stat.h>

static int64_t wall_ns = INT64_C(1767225600) * 1000000000, monotonic_ns = INT64_C(1000) * 1000000000;

static int64_t read_wall(void *context)
{
    (void)context;
    return wall_ns;
}

static int64_t read_monotonic(void *context)
{
    (void)context;
    return monotonic_ns;
}

static void pass(double seconds)
{
    wall_ns += (int64_t)(seconds * 1e9);
    monotonic_ns += (int64_t)(seconds * 1e9);
}

static void use_clock(void)
{
    tcsi_clock_set(&(tcsi_clock){ read_wall, read_monotonic, NULL });
    if (!tcsi_secret_is_available()) skip();
}

static tcsi_token make(const char *name, tcsi_role role, int64_t lifetime_s, char text[TCSI_TOKEN_TEXT_SIZE + 1])
{
    tcsi_token token;
    assert_ok(tcsi_token_create(name, role, lifetime_s, &token, text, test_err));
    assert_int_equal(strlen(text), TCSI_TOKEN_TEXT_SIZE);
    assert_null(strstr(token.hash, text + 21)); /* what is kept does not hold what proves */
    return token;
}

static tcsi_auth_outcome check(tcsi_auth *auth, const char *peer, const char *text, tcsi_caller *caller)
{
    int64_t wait_ns = 0;
    tcsi_auth_outcome outcome = tcsi_auth_check(auth, peer, text, strlen(text), caller, &wait_ns);
    assert_true((outcome == TCSI_AUTH_LIMITED) == (wait_ns > 0));
    return outcome;
}

static void test_check(void **state)
{
    (void)state;
    use_clock();
    char text[3][TCSI_TOKEN_TEXT_SIZE + 1];
    tcsi_token tokens[] = { make("a", TCSI_ROLE_VIEWER, 0, text[0]), make("b-2_x.", TCSI_ROLE_ADMIN, 3600, text[1]) };
    (void)make("c", TCSI_ROLE_ADMIN, 0, text[2]); /* nobody knows it */
    tcsi_auth *auth;
    tcsi_caller caller;
    assert_ok(tcsi_auth_create(&auth, test_err));
    assert_int_equal(check(auth, "1.2.3.4", text[0], &caller), TCSI_AUTH_REFUSED);
    assert_ok(tcsi_auth_set(auth, tokens, 2, test_err));
    assert_int_equal(tcsi_auth_count(auth), 2);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(check(auth, "1.2.3.4", text[0], &caller), TCSI_AUTH_OK);
        assert_int_equal(caller.role, TCSI_ROLE_VIEWER);
        assert_string_equal(caller.name, "a");
    }
    assert_int_equal(check(auth, "1.2.3.4", text[1], &caller), TCSI_AUTH_OK);
    assert_int_equal(check(auth, "1.2.3.4", text[2], &caller), TCSI_AUTH_REFUSED);
    char changed[TCSI_TOKEN_TEXT_SIZE + 1];
    for (size_t at = 0; at < TCSI_TOKEN_TEXT_SIZE; at += 12) { /* one digit elsewhere; each guess from a host of its own */
        char peer[32];
        snprintf(peer, sizeof peer, "10.0.0.%zu", at);
        memcpy(changed, text[0], sizeof changed);
        changed[at] = changed[at] == '0' ? '1' : '0';
        assert_int_equal(check(auth, peer, changed, &caller), TCSI_AUTH_REFUSED);
    }
    pass(3601);
    assert_int_equal(check(auth, "9.9.9.9", text[1], &caller), TCSI_AUTH_REFUSED); /* expired, though it was known */
    assert_int_equal(check(auth, "9.9.9.9", text[0], &caller), TCSI_AUTH_OK);
    tokens[0].role = TCSI_ROLE_ANALYST; /* a change counts at once */
    assert_ok(tcsi_auth_set(auth, tokens, 2, test_err));
    assert_int_equal(check(auth, "9.9.9.9", text[0], &caller), TCSI_AUTH_OK);
    assert_int_equal(caller.role, TCSI_ROLE_ANALYST);
    memcpy(tokens[0].hash, tokens[1].hash, sizeof tokens[0].hash); /* also of the hash: what was found is of no use any more */
    assert_ok(tcsi_auth_set(auth, tokens, 2, test_err));
    assert_int_equal(check(auth, "9.9.9.9", text[0], &caller), TCSI_AUTH_REFUSED);
    tokens[1] = tokens[0];
    assert_int_equal(tcsi_auth_set(auth, tokens, 2, NULL), TCS_E_FORMAT);
    tcsi_auth_destroy(auth);
    tcsi_clock_set(NULL);
}

static void test_guesses(void **state)
{
    (void)state;
    use_clock();
    char text[2][TCSI_TOKEN_TEXT_SIZE + 1];
    tcsi_token tokens[] = { make("a", TCSI_ROLE_VIEWER, 0, text[0]), make("b", TCSI_ROLE_VIEWER, 0, text[1]) };
    tcsi_auth *auth;
    tcsi_caller caller;
    assert_ok(tcsi_auth_create(&auth, test_err));
    assert_ok(tcsi_auth_set(auth, tokens, 2, test_err));
    assert_int_equal(check(auth, "2001:db8::1", text[0], &caller), TCSI_AUTH_OK);
    for (int i = 0; i < TCSI_AUTH_FAILURES_BURST; i++) assert_int_equal(check(auth, "2001:db8::1", "nonsense", &caller), TCSI_AUTH_REFUSED);
    assert_int_equal(check(auth, "2001:db8::1", "nonsense", &caller), TCSI_AUTH_LIMITED);
    assert_int_equal(check(auth, "2001:db8::ffff", text[1], &caller), TCSI_AUTH_LIMITED); /* the same /64 */
    assert_int_equal(check(auth, "2001:db8::1", text[0], &caller), TCSI_AUTH_OK);         /* known already */
    assert_int_equal(check(auth, "2001:db8:0:1::1", text[1], &caller), TCSI_AUTH_OK);     /* another network */
    pass(1 / TCSI_AUTH_FAILURES_RATE + 0.001);
    assert_int_equal(check(auth, "2001:db8::1", "nonsense", &caller), TCSI_AUTH_REFUSED); /* one more */
    assert_int_equal(check(auth, "2001:db8::1", "nonsense", &caller), TCSI_AUTH_LIMITED);
    pass(1e-9 * (double)TCSI_AUTH_KEEP_NS + 1); /* what was found is forgotten, and found again */
    for (int i = 0; i < TCSI_AUTH_FAILURES_BURST; i++) assert_int_equal(check(auth, "1.1.1.1", "nonsense", &caller), TCSI_AUTH_REFUSED);
    assert_int_equal(check(auth, "1.1.1.1", text[0], &caller), TCSI_AUTH_LIMITED);
    assert_int_equal(check(auth, "1.1.1.2", text[0], &caller), TCSI_AUTH_OK);
    assert_int_equal(check(auth, "1.1.1.1", text[0], &caller), TCSI_AUTH_OK);
    tcsi_auth_destroy(auth);
    tcsi_clock_set(NULL);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0600);
}

static void test_file(void **state)
{
    (void)state;
    use_clock();
    char path[] = "/tmp/tocsin-tokens-XXXXXX", text[TCSI_TOKEN_TEXT_SIZE + 1], line[600];
    assert_true(mkstemp(path) >= 0);
    unlink(path);
    tcsi_auth *auth;
    tcsi_caller caller;
    tcs_error err = { 0 };
    struct stat info;
    assert_ok(tcsi_auth_create(&auth, test_err));
    assert_int_equal(tcsi_auth_load(auth, path, &err), TCS_E_IO);
    tcsi_token token = make("a", TCSI_ROLE_OPERATOR, 0, text);
    assert_ok(tcsi_token_append(path, &token, test_err));
    assert_true(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
    assert_ok(tcsi_auth_load(auth, path, test_err));
    assert_int_equal(check(auth, "::1", text, &caller), TCSI_AUTH_OK);
    assert_int_equal(caller.role, TCSI_ROLE_OPERATOR);
    static const char *const bad[][2] = {
        { "nonsense\n", "line 1: " }, { "\n# words\n{}\n", "line 3: \"id\"" }, { "[]\n", "line 1: \"id\"" },
        { "{\"id\":\"0123456789abcdeF\"}\n", "\"id\" of 16" }, { "{\"id\":\"0123456789abcdef\"}\n", "\"name\" is expected" },
        { "{\"id\":\"0123456789abcdef\",\"name\":\"a\",\"role\":\"none\"}\n", "\"role\" viewer" },
        { "{\"id\":\"0123456789abcdef\",\"name\":\"a\",\"role\":\"viewer\",\"hash\":\"$2b$x\"}\n", "made by Argon2id" },
        { "{\"id\":\"0123456789abcdef\",\"name\":\"a\",\"role\":\"viewer\",\"hash\":\"$argon2id$x\",\"expires\":\"never\"}\n",
        "\"expires\" in seconds" },
    };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        put_file(path, bad[i][0]);
        assert_int_equal(tcsi_auth_load(auth, path, &err), TCS_E_FORMAT);
        assert_non_null(strstr(err.text, bad[i][1]));
        assert_non_null(strstr(err.text, path));
    }
    assert_int_equal(check(auth, "::1", text, &caller), TCSI_AUTH_OK); /* those before stay */
    snprintf(line, sizeof line, "{\"id\":\"%s\",\"name\":\"a\",\"role\":\"viewer\",\"hash\":\"$argon2id$broken\"}", token.id);
    put_file(path, line);
    assert_ok(tcsi_auth_load(auth, path, test_err));
    assert_int_equal(check(auth, "::1", text, &caller), TCSI_AUTH_REFUSED); /* a hash that is none */
    chmod(path, 0640);
    assert_int_equal(tcsi_auth_load(auth, path, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_token_create("a b", TCSI_ROLE_VIEWER, 0, &token, text, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_token_create("", TCSI_ROLE_VIEWER, 0, &token, text, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_token_create("a", TCSI_ROLE_NONE, 0, &token, text, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_token_create("a", TCSI_ROLE_VIEWER, -1, &token, text, &err), TCS_E_INVALID);
    unlink(path);
    tcsi_auth_destroy(auth);
    tcsi_auth_destroy(NULL);
    tcsi_clock_set(NULL);
}

TCS_TEST_MAIN(cmocka_unit_test(test_check), cmocka_unit_test(test_guesses), cmocka_unit_test(test_file))
