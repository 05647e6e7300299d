/* SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include "test.h"

#include "serve/models/models.h"
#include "store/store.h"

#include <math.h>
#include <sys/stat.h>

static tcsi_store *store;

static int open_store(void **state)
{
    char path[FOLDER_PATH_SIZE];
    tcs_error err;
    if (folder_make(state) != 0) return -1;
    path_of("store.db", path);
    return tcsi_store_open(path, NULL, &store, &err) == TCS_OK ? 0 : -1;
}

static int close_store(void **state)
{
    tcsi_store_close(store);
    return folder_remove(state);
}

/* A safetensors file without tensors that says who it is. */
static size_t make_bundle(const char *seed, char bytes[256])
{
    const int size = snprintf(bytes + 8, 248, "{\"__metadata__\":{\"format\":\"tocsin bundle\",\"seed\":\"%s\","
                              "\"parameters\":\"{\\\"a\\\":1}\"}}", seed);
    for (size_t i = 0; i < 8; i++) bytes[i] = (char)((uint64_t)size >> 8 * i);
    return (size_t)size + 8;
}

static void import(const char *seed, const char *name, const unsigned char *key, char ret_hash[TCSI_HASH_TEXT_SIZE])
{
    char bytes[256];
    const size_t size = make_bundle(seed, bytes);
    const tcsi_model_import how = { .name = name, .who = "ann", .now_ns = 1700000000000000000, .key = key, .note = "a \"quoted\" note" };
    assert_ok(tcsi_models_import(store, bytes, size, &how, ret_hash, test_err));
}

static void find(const char *name, tcsi_arena *arena, tcsi_model *ret_model)
{
    assert_ok(tcsi_models_find(store, name, arena, ret_model, test_err));
}

static bool count_models(void *context, const tcsi_model *model)
{
    (void)model;
    ++*(size_t *)context;
    return true;
}

static void test_found_by_hash_beginning_and_alias(void **state)
{
    (void)state;
    char first[TCSI_HASH_TEXT_SIZE], second[TCSI_HASH_TEXT_SIZE], again[TCSI_HASH_TEXT_SIZE], begin[9], hash[TCSI_HASH_TEXT_SIZE];
    tcsi_arena arena;
    tcsi_model model;
    tcs_error failure;
    size_t count = 0;
    tcsi_arena_init(&arena, 0);
    import("1", "pump", NULL, first);
    import("2", "pump", NULL, second);
    import("2", "other", NULL, again); /* the same bytes: it stays what it is */
    assert_string_equal(second, again);
    assert_ok(tcsi_models_list(store, count_models, &count, test_err));
    assert_int_equal(count, 2);
    snprintf(begin, sizeof begin, "%s", second);
    find(begin, &arena, &model);
    assert_string_equal(model.hash, second);
    assert_string_equal(model.name, "pump");
    assert_non_null(strstr(model.card, "\"parameters\":{\"a\":1}"));
    assert_int_equal(tcsi_models_find(store, "champion", &arena, &model, &failure), TCS_E_INVALID);
    assert_int_equal(tcsi_models_find(store, "ab", &arena, &model, &failure), TCS_E_INVALID);
    assert_ok(tcsi_models_promote(store, "pump/champion", first, "the first", "ann", 1, hash, test_err));
    find("pump/champion", &arena, &model);
    assert_string_equal(model.hash, first);
    assert_true(model.is_champion);
    tcsi_arena_deinit(&arena);
}

static void promote(const char *to, const char *expected)
{
    char hash[TCSI_HASH_TEXT_SIZE];
    assert_ok(tcsi_models_promote(store, "pump/champion", to, "why", "ann", 1, hash, test_err));
    assert_string_equal(hash, expected);
}

static bool is_rolled_back(void)
{
    bool is = false;
    assert_ok(tcsi_models_is_rolled_back(store, "pump/champion", &is, test_err));
    return is;
}

/* The alias is what the log comes to: promotions push, rollbacks pop. */
static void test_rollback(void **state)
{
    (void)state;
    char a[TCSI_HASH_TEXT_SIZE], b[TCSI_HASH_TEXT_SIZE], c[TCSI_HASH_TEXT_SIZE], hash[TCSI_HASH_TEXT_SIZE];
    unsigned char head[TCSI_HASH_SIZE];
    int64_t entry_count, count_before;
    tcs_error failure;
    import("a", "pump", NULL, a);
    import("b", "pump", NULL, b);
    import("c", "pump", NULL, c);
    promote(a, a);
    assert_ok(tcsi_store_audit_verify(store, &count_before, head, test_err));
    assert_int_equal(tcsi_models_promote(store, "pump/champion", "", "none before", "ann", 1, hash, &failure), TCS_E_INVALID);
    assert_ok(tcsi_store_audit_verify(store, &entry_count, head, test_err));
    assert_int_equal(entry_count, count_before); /* what could not be done leaves nothing */
    promote(b, b);
    promote(c, c);
    assert_false(is_rolled_back());
    promote("", b);
    assert_true(is_rolled_back());
    promote(c, c);
    assert_false(is_rolled_back());
    promote("", b);
    promote("", a);
    assert_ok(tcsi_models_promote(store, "challenger", b, "another alias", "ann", 1, hash, test_err));
    promote(c, c);
    promote("", a);
}

static void test_a_changed_card_or_bundle_is_named(void **state)
{
    (void)state;
    unsigned char public_key[TCSI_SECRET_PUBLIC_KEY_SIZE], key[TCSI_SECRET_KEY_SIZE], other[TCSI_SECRET_PUBLIC_KEY_SIZE],
        other_key[TCSI_SECRET_KEY_SIZE], signer[TCSI_SECRET_PUBLIC_KEY_SIZE];
    char hash[TCSI_HASH_TEXT_SIZE], bytes[256];
    tcsi_arena arena;
    tcsi_model model;
    tcs_error failure;
    if (!tcsi_secret_is_available()) skip();
    tcsi_arena_init(&arena, 0);
    assert_ok(tcsi_secret_key_create(public_key, key, test_err));
    assert_ok(tcsi_secret_key_create(other, other_key, test_err));
    import("s", "pump", key, hash);
    find(hash, &arena, &model);
    assert_ok(tcsi_models_verify(store, &model, public_key, signer, test_err));
    assert_memory_equal(signer, public_key, sizeof signer);
    assert_int_equal(tcsi_models_verify(store, &model, other, signer, &failure), TCS_E_FORMAT);
    assert_non_null(strstr(failure.text, "not the key that is trusted"));
    for (size_t i = 0; i < strlen(model.card); i++) { /* each letter of the card */
        char *card = tcsi_arena_strndup(&arena, model.card, strlen(model.card));
        tcsi_model changed = model;
        assert_non_null(card);
        card[i] ^= 1;
        changed.card = card;
        assert_int_equal(tcsi_models_verify(store, &changed, public_key, signer, &failure), TCS_E_FORMAT);
    }
    const size_t size = make_bundle("t", bytes); /* the card of another bundle */
    const tcsi_model_import how = { .card = model.card, .who = "ann" };
    assert_int_equal(tcsi_models_import(store, bytes, size, &how, hash, &failure), TCS_E_FORMAT);
    assert_non_null(strstr(failure.text, "one of them was changed"));
    import("u", "pump", NULL, hash);
    find(hash, &arena, &model);
    assert_ok(tcsi_models_verify(store, &model, NULL, signer, test_err));
    assert_int_equal(tcsi_models_verify(store, &model, public_key, signer, &failure), TCS_E_FORMAT);
    tcsi_arena_deinit(&arena);
}

static void test_what_is_no_bundle_is_refused(void **state)
{
    (void)state;
    static const char *const files[] = { "", "short", "\x02\0\0\0\0\0\0\0{}", "\xff\xff\xff\xff\xff\xff\xff\xff{}",
                                         "\x03\0\0\0\0\0\0\0[1]" };
    static const size_t sizes[] = { 0, 5, 10, 10, 11 };
    const tcsi_model_import how = { .name = "x", .who = "ann" }, bad = { .name = "Pump 1", .who = "ann" };
    char hash[TCSI_HASH_TEXT_SIZE], bytes[256];
    tcs_error failure;
    for (size_t i = 0; i < TCS_COUNT(files); i++)
        assert_int_equal(tcsi_models_import(store, files[i], sizes[i], &how, hash, &failure), TCS_E_FORMAT);
    assert_int_equal(tcsi_models_import(store, bytes, make_bundle("1", bytes), &bad, hash, &failure), TCS_E_INVALID);
}

static bool keep_evidence(void *context, const tcsi_model_evidence *evidence)
{
    assert_string_equal(evidence->data, "tuesday.csv 01");
    assert_true(isnan(evidence->alarms_false) && evidence->alarms == 3);
    ++*(size_t *)context;
    return true;
}

static void test_evidence_and_gates(void **state)
{
    (void)state;
    char hash[TCSI_HASH_TEXT_SIZE];
    tcsi_model_gate gates[TCSI_MODEL_GATES_MAX];
    size_t count = 0;
    import("e", "pump", NULL, hash);
    tcsi_model_evidence one = { .data = "tuesday.csv 01", .vus_pr = NAN, .auc_pr = NAN, .f1_event = NAN, .alarms = 3, .alarms_false = NAN,
                                .alarms_allowed = 1, .p_low_share = 0.011, .ns_per_row = 100, .row_count = 1000, .measured_ns = 5 };
    assert_ok(tcsi_models_evidence_put(store, hash, &one, test_err));
    assert_ok(tcsi_models_evidence_put(store, hash, &one, test_err));
    assert_ok(tcsi_models_evidence_list(store, hash, keep_evidence, &count, test_err));
    assert_int_equal(count, 1);
    assert_int_equal(tcsi_models_gates(&one, NULL, gates), 2);
    assert_true(gates[0].is_passed && gates[1].is_passed);
    tcsi_model_evidence two = one;
    one.vus_pr = 0.5;
    two.vus_pr = 0.49;
    two.alarms_false = 5;
    two.p_low_share = 0.03;
    two.ns_per_row = 151;
    assert_int_equal(tcsi_models_gates(&two, &one, gates), 4);
    for (size_t i = 0; i < 4; i++) assert_false(gates[i].is_passed);
    two.vus_pr = 0.5;
    two.alarms_false = 4;
    two.p_low_share = 0.02;
    two.ns_per_row = 150;
    assert_int_equal(tcsi_models_gates(&two, &one, gates), 4);
    for (size_t i = 0; i < 4; i++) assert_true(gates[i].is_passed);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)
TCS_TEST_MAIN(CASE(test_found_by_hash_beginning_and_alias), CASE(test_rollback), CASE(test_a_changed_card_or_bundle_is_named),
              CASE(test_what_is_no_bundle_is_refused), CASE(test_evidence_and_gates))
