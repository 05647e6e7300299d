/* serve/ingest/batch_test.c -- remote-write of both versions: golden bodies of independent encoders, odd but legal bodies, truncations,
 * limits, failing allocations, and that a warm batch allocates nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "batches.h"

#include "base/alloc.h"
#include "base/protobuf_write.h"
#include "base/rng.h"
#include "base/snappy.h"
#include "serve/ingest/remote_write.h"
#include "tocsin_config.h"

static const tcsi_ingest_format formats[] = { { .decoder = TCSI_INGEST_REMOTE_WRITE_1, .compression = TCSI_INGEST_SNAPPY },
                                              { .decoder = TCSI_INGEST_REMOTE_WRITE_2, .compression = TCSI_INGEST_SNAPPY } };

static const struct golden {
    const char *name;
    int version;
} goldens[] = { { "remote_write_1", 1 }, { "remote_write_2", 2 }, { "remote_write_1_rest", 1 }, { "remote_write_2_rest", 2 },
              { "prometheus_values", 1 }, { "prometheus_stale", 1 } }; /* the last two are of a real Prometheus */

typedef struct context {
    tcsi_batch batch;
    tcs_error err;
} context;

static int set_up(void **state)
{
    context *c = calloc(1, sizeof *c);
    tcsi_batch_init(&c->batch, NULL);
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    context *c = *state;
    tcsi_batch_deinit(&c->batch);
    free(c);
    return 0;
}

/* A file's body, decompressed by libsnappy alone. */
static tcsi_buffer plain_body(const char *name)
{
    char file[128];
    size_t size;
    snprintf(file, sizeof file, "%s.body", name);
    tcsi_buffer block = batch_file(file), plain;
    tcsi_buffer_init(&plain, 1 << 26);
    assert_ok(tcsi_snappy_size(block.data, block.size, 1 << 26, &size, test_err));
    assert_ok(tcsi_buffer_reserve(&plain, size, test_err));
    assert_ok(tcsi_snappy_decode(block.data, block.size, plain.data, size, test_err));
    plain.size = size;
    tcsi_buffer_deinit(&block);
    return plain;
}

static tcs_status decode(context *c, int version, const void *bytes, size_t size)
{
    tcsi_batch_clear(&c->batch);
    return version == 1 ? tcsi_remote_write_1(bytes, size, &c->batch, &c->err) : tcsi_remote_write_2(bytes, size, &c->batch, &c->err);
}

static void test_golden_bodies(void **state)
{
    context *c = *state;
    if (!TCSI_HAVE_SNAPPY) skip();
    for (size_t i = 0; i < TCS_COUNT(goldens); i++) {
        char file[128];
        snprintf(file, sizeof file, "%s.body", goldens[i].name);
        tcsi_buffer body = batch_file(file);
        assert_ok(tcsi_ingest_decode(formats[goldens[i].version - 1], body.data, body.size, 0, &c->batch, test_err));
        assert_true(batch_is_sound(&c->batch));
        batch_expect(&c->batch, goldens[i].name);
        tcsi_buffer_deinit(&body);
    }
}

/* Each beginning of a body is read to its end or refused with the place, within its own bytes. */
static void test_each_truncation(void **state)
{
    context *c = *state;
    if (!TCSI_HAVE_SNAPPY) skip();
    for (size_t i = 0; i < TCS_COUNT(goldens); i++) {
        tcsi_buffer body = plain_body(goldens[i].name);
        size_t refused = 0;
        for (size_t size = 0; size <= body.size; size++) {
            unsigned char *part = malloc(size ? size : 1);
            memcpy(part, body.data, size);
            tcs_status status = decode(c, goldens[i].version, part, size);
            if (status == TCS_OK) {
                assert_true(batch_is_sound(&c->batch));
                for (size_t s = 0; s < c->batch.series_count; s++) {
                    tcsi_key key;
                    assert_int_equal(tcsi_batch_key(&c->batch, s, &key), TCSI_OUTCOME_ACCEPTED);
                }
            } else {
                assert_int_equal(status, TCS_E_FORMAT);
                assert_non_null(strstr(c->err.text, "byte"));
                refused++;
            }
            free(part);
        }
        assert_true(refused > body.size / 2 && refused < body.size);
        tcsi_buffer_deinit(&body);
    }
}

/* Whatever one byte is changed to: a sound batch or a sentence. */
static void test_damaged_bodies(void **state)
{
    context *c = *state;
    if (!TCSI_HAVE_SNAPPY) skip();
    tcsi_rng rng = tcsi_rng_make(11, 0);
    for (size_t i = 0; i < TCS_COUNT(goldens); i++) {
        tcsi_buffer body = plain_body(goldens[i].name);
        for (int round = 0; round < 20000; round++) {
            size_t at = tcsi_rng_below(&rng, body.size);
            char was = body.data[at];
            body.data[at] = (char)tcsi_rng_u32(&rng);
            c->err.text[0] = 0;
            if (decode(c, goldens[i].version, body.data, body.size) == TCS_OK) {
                assert_true(batch_is_sound(&c->batch));
                for (size_t s = 0; s < c->batch.series_count; s++) {
                    tcsi_key key;
                    tcsi_outcome outcome = tcsi_batch_key(&c->batch, s, &key);
                    assert_int_equal(outcome == TCSI_OUTCOME_ACCEPTED, key.fault == TCSI_KEY_NONE);
                }
            } else {
                assert_true(strlen(c->err.text) > 10);
            }
            body.data[at] = was;
        }
        tcsi_buffer_deinit(&body);
    }
}

/* ---- bodies of our own ---- */

static void put_double(tcsi_protobuf_writer *writer, unsigned field, double value) /* the writer has no doubles: a raw field */
{
    unsigned char bytes[9] = { (unsigned char)(field << 3 | TCSI_PROTOBUF_8_BYTES) };
    memcpy(bytes + 1, &value, 8);
    if (writer->status == TCS_OK) writer->status = tcsi_buffer_append(writer->out, bytes, sizeof bytes, NULL);
}

static void put_sample(tcsi_protobuf_writer *writer, double value, int64_t ms)
{
    tcsi_protobuf_begin(writer, 2);
    put_double(writer, 1, value);
    tcsi_protobuf_integer(writer, 2, ms);
    tcsi_protobuf_end(writer);
}

static void put_label(tcsi_protobuf_writer *writer, const char *name, const char *value)
{
    tcsi_protobuf_begin(writer, 1);
    tcsi_protobuf_text(writer, 1, name);
    tcsi_protobuf_text(writer, 2, value);
    tcsi_protobuf_end(writer);
}

static tcsi_protobuf_writer begin_body(tcsi_buffer *out)
{
    tcsi_protobuf_writer writer;
    tcsi_buffer_clear(out);
    tcsi_protobuf_writer_init(&writer, out);
    return writer;
}

/* Labels behind and between samples, fields unknown and repeated, values left out: legal Protocol Buffers that no encoder writes. */
static void test_fields_in_any_order(void **state)
{
    context *c = *state;
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 16);
    tcsi_protobuf_writer writer = begin_body(&out);
    tcsi_protobuf_begin(&writer, 1);
    put_sample(&writer, 1, 1000);
    put_label(&writer, "b", "2");
    tcsi_protobuf_integer(&writer, 77, 5);
    put_sample(&writer, 2, 2000);
    tcsi_protobuf_begin(&writer, 1); /* value before name, and a name that is said twice: the last counts */
    tcsi_protobuf_text(&writer, 2, "1");
    tcsi_protobuf_text(&writer, 1, "x");
    tcsi_protobuf_text(&writer, 1, "a");
    tcsi_protobuf_end(&writer);
    tcsi_protobuf_begin(&writer, 2); /* a sample of zeros is empty */
    tcsi_protobuf_end(&writer);
    tcsi_protobuf_end(&writer);
    tcsi_protobuf_integer(&writer, 2, 3);
    assert_ok(tcsi_protobuf_finish(&writer, test_err));
    assert_int_equal(decode(c, 1, out.data, out.size), TCS_OK);
    tcsi_buffer text;
    tcsi_buffer_init(&text, 1 << 16);
    batch_print(&c->batch, &text);
    assert_string_equal(text.data, "{a=\"1\",b=\"2\"}\tunstated\t1000000000\t3ff0000000000000\n{a=\"1\",b=\"2\"}\tunstated\t2000000000\t"
                                   "4000000000000000\n{a=\"1\",b=\"2\"}\tunstated\t0\t0000000000000000\n# accepted 3\n");
    tcsi_buffer_deinit(&text);
    tcsi_buffer_deinit(&out);
}

/* Keys that are none, each with its name; the other series of the request stay. */
static void test_refused_series(void **state)
{
    context *c = *state;
    tcsi_buffer out;
    char names[70][8], value[3000];
    memset(value, 'v', sizeof value);
    value[2999] = 0;
    tcsi_buffer_init(&out, 1 << 20);
    static const tcsi_outcome expected[] = { TCSI_OUTCOME_NO_LABELS, TCSI_OUTCOME_DUPLICATE_LABEL, TCSI_OUTCOME_LABEL_TOO_LONG,
                                             TCSI_OUTCOME_LABEL_INVALID, TCSI_OUTCOME_TOO_MANY_LABELS, TCSI_OUTCOME_ACCEPTED };
    tcsi_protobuf_writer writer = begin_body(&out);
    for (size_t i = 0; i < TCS_COUNT(expected); i++) {
        tcsi_protobuf_begin(&writer, 1);
        for (int j = 0; expected[i] == TCSI_OUTCOME_DUPLICATE_LABEL && j < 3; j++) put_label(&writer, j == 1 ? "b" : "a", "1");
        if (expected[i] == TCSI_OUTCOME_LABEL_TOO_LONG) put_label(&writer, "a", value);
        if (expected[i] == TCSI_OUTCOME_LABEL_INVALID) put_label(&writer, "a", "\xc3(");
        for (size_t j = 0; expected[i] == TCSI_OUTCOME_TOO_MANY_LABELS && j < 65; j++) {
            snprintf(names[j], sizeof names[j], "l%zu", j);
            put_label(&writer, names[j], "v");
        }
        if (expected[i] == TCSI_OUTCOME_ACCEPTED) put_label(&writer, "a", "1");
        put_sample(&writer, 1, 1000);
        put_sample(&writer, 2, 2000);
        tcsi_protobuf_end(&writer);
    }
    assert_ok(tcsi_protobuf_finish(&writer, test_err));
    assert_int_equal(decode(c, 1, out.data, out.size), TCS_OK);
    assert_int_equal(c->batch.series_count, TCS_COUNT(expected));
    for (size_t i = 0; i < TCS_COUNT(expected); i++) {
        tcsi_key key;
        assert_int_equal(tcsi_batch_key(&c->batch, i, &key), expected[i]);
        if (expected[i] != TCSI_OUTCOME_ACCEPTED) tcsi_batch_refuse(&c->batch, i, expected[i]);
        assert_int_equal(c->batch.outcomes[expected[i]], 2);
    }
    assert_int_equal(tcsi_batch_count(&c->batch, TCSI_OUTCOME_TAKEN), 2);
    assert_int_equal(tcsi_batch_count(&c->batch, TCSI_OUTCOME_REFUSED), 10);
    assert_string_equal(c->batch.complaint.text,
                        "series 1 of the request: no name and no label with a value: there is no series to add to");
    tcsi_buffer_deinit(&out);
}

/* A stale mark of a refused series was counted as one, and is taken out of what it was counted as. */
static void test_refused_stale_marks(void **state)
{
    context *c = *state;
    tcsi_buffer out;
    double mark;
    memcpy(&mark, &(uint64_t){ TCSI_STALE_BITS }, sizeof mark);
    tcsi_buffer_init(&out, 1 << 16);
    tcsi_protobuf_writer writer = begin_body(&out);
    tcsi_protobuf_begin(&writer, 1);
    put_sample(&writer, 1, 1000);
    put_sample(&writer, mark, 2000);
    tcsi_protobuf_end(&writer);
    assert_ok(tcsi_protobuf_finish(&writer, test_err));
    assert_int_equal(decode(c, 1, out.data, out.size), TCS_OK);
    assert_int_equal(c->batch.outcomes[TCSI_OUTCOME_STALE], 1);
    tcsi_batch_refuse(&c->batch, 0, TCSI_OUTCOME_NO_LABELS);
    assert_int_equal(c->batch.outcomes[TCSI_OUTCOME_STALE], 0);
    assert_int_equal(c->batch.outcomes[TCSI_OUTCOME_ACCEPTED], 0);
    assert_int_equal(c->batch.outcomes[TCSI_OUTCOME_NO_LABELS], 2);
    tcsi_buffer_deinit(&out);
}

/* A label that claims to go on into the next series does not. */
static void test_a_label_ends_with_its_series(void **state)
{
    context *c = *state;
    static const char body[] = "\x0a\x04\x0a\x05\x0a\x01"
                               "\x0a\x04\x0a\x02\x0a\x00";
    assert_int_equal(decode(c, 1, body, sizeof body - 1), TCS_E_FORMAT);
    assert_non_null(strstr(c->err.text, "byte 4: a length that goes beyond the message"));
}

typedef struct two_body {
    const char *symbols[8];
    unsigned char references[80];
    size_t symbol_count, reference_count;
    bool unpacked, symbols_last;
} two_body;

static void write_two(tcsi_buffer *out, const two_body *body)
{
    tcsi_protobuf_writer writer = begin_body(out);
    for (size_t i = 0; i < body->symbol_count && !body->symbols_last; i++) tcsi_protobuf_text(&writer, 4, body->symbols[i]);
    tcsi_protobuf_begin(&writer, 5);
    for (size_t i = 0; i < body->reference_count && body->unpacked; i++) tcsi_protobuf_integer(&writer, 1, body->references[i]);
    if (!body->unpacked) tcsi_protobuf_bytes(&writer, 1, body->references, body->reference_count);
    put_sample(&writer, 1, 1000);
    tcsi_protobuf_end(&writer);
    for (size_t i = 0; i < body->symbol_count && body->symbols_last; i++) tcsi_protobuf_text(&writer, 4, body->symbols[i]);
    assert_ok(tcsi_protobuf_finish(&writer, test_err));
}

static void test_references_to_symbols(void **state)
{
    context *c = *state;
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 16);
    /* One series: packed or not, with other numbers for the same symbols, with the symbols behind it: one fingerprint. */
    static const two_body same[] = {
        { { "", "a", "1", "b", "2" }, { 1, 2, 3, 4 }, 5, 4, false, false },
        { { "", "a", "1", "b", "2" }, { 1, 2, 3, 4 }, 5, 4, true, false },
        { { "", "b", "2", "x", "1", "a" }, { 5, 4, 1, 2 }, 6, 4, false, false },
        { { "", "a", "1", "b", "2" }, { 1, 2, 3, 4 }, 5, 4, false, true },
    };
    tcsi_fingerprint first = { 0 };
    for (size_t i = 0; i < TCS_COUNT(same); i++) {
        write_two(&out, &same[i]);
        assert_int_equal(decode(c, 2, out.data, out.size), TCS_OK);
        assert_int_equal(c->batch.series_count, 1);
        if (i == 0) first = c->batch.series[0].fingerprint;
        assert_true(tcsi_fingerprint_equal(c->batch.series[0].fingerprint, first));
        tcsi_key key;
        assert_int_equal(tcsi_batch_key(&c->batch, 0, &key), TCSI_OUTCOME_ACCEPTED);
        assert_int_equal(key.tag_count, 2);
        assert_memory_equal(tcsi_key_get(&key, "b")->value, "2", 1);
    }
    static const struct {
        two_body body;
        const char *text;
    } bad[] = {
        { { { "x" }, { 0, 0 }, 1, 2, false, false }, "symbols[0] has 1 bytes" },
        { { { "", "a", "1" }, { 1, 3 }, 3, 2, false, false }, "refers to symbol 3, there are 3" },
        { { { "", "a", "1" }, { 1, 2, 1 }, 3, 3, false, false }, "has 3 whole references" },
        { { { "", "a", "1" }, { 1, 0x80 }, 3, 2, false, false }, "has 1 whole references" },
        { { { NULL }, { 0, 0 }, 0, 2, false, false }, "refers to symbol 0, there are 0" },
    };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        write_two(&out, &bad[i].body);
        assert_int_equal(decode(c, 2, out.data, out.size), TCS_E_FORMAT);
        if (!strstr(c->err.text, bad[i].text)) fail_msg("%s", c->err.text);
    }
    two_body many = { { "", "a", "1" }, { 0 }, 3, 80, false, false };
    for (size_t i = 0; i < 80; i++) many.references[i] = (unsigned char)(1 + i % 2);
    write_two(&out, &many);
    tcsi_key key;
    assert_int_equal(decode(c, 2, out.data, out.size), TCS_OK);
    assert_int_equal(tcsi_batch_key(&c->batch, 0, &key), TCSI_OUTCOME_DUPLICATE_LABEL);
    tcsi_buffer_deinit(&out);
}

/* ---- many ---- */

/* count series of one sample, ten labels of 200 bytes in all. */
static void write_many(tcsi_buffer *out, size_t count)
{
    char text[64];
    tcsi_protobuf_writer writer = begin_body(out);
    for (size_t i = 0; i < count; i++) {
        tcsi_protobuf_begin(&writer, 1);
        put_label(&writer, "__name__", "http_requests_total");
        for (int j = 0; j < 9; j++) {
            snprintf(text, sizeof text, "label_%d", j);
            char value[32];
            snprintf(value, sizeof value, "value-%d-%zu", j, j == 5 ? i : i % 7);
            put_label(&writer, text, value);
        }
        put_sample(&writer, (double)i, 1764158400000);
        tcsi_protobuf_end(&writer);
    }
    assert_ok(tcsi_protobuf_finish(&writer, test_err));
}

static void test_a_warm_batch_allocates_nothing(void **state)
{
    context *c = *state;
    tcsi_buffer out;
    tcsi_key key;
    tcsi_buffer_init(&out, 1 << 24);
    write_many(&out, 3000);
    tcsi_batch_deinit(&c->batch);
    tcsi_alloc_trace_begin();
    tcsi_batch_init(&c->batch, NULL);
    for (int round = 0; round < 4; round++) {
        size_t before = tcsi_alloc_trace_stats().total_count;
        assert_int_equal(decode(c, 1, out.data, out.size), TCS_OK);
        assert_int_equal(c->batch.series_count, 3000);
        for (size_t i = 0; i < 3000; i++) assert_int_equal(tcsi_batch_key(&c->batch, i, &key), TCSI_OUTCOME_ACCEPTED);
        assert_int_equal(tcsi_alloc_trace_stats().total_count > before, round == 0);
    }
    tcsi_batch_deinit(&c->batch);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
    tcsi_batch_init(&c->batch, NULL);
    tcsi_buffer_deinit(&out);
}

static void test_limits(void **state)
{
    context *c = *state;
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 24);
    write_many(&out, 1000);
    c->batch.limits.series_count_max = 999;
    assert_int_equal(decode(c, 1, out.data, out.size), TCS_E_LIMIT);
    assert_non_null(strstr(c->err.text, "more than 999 series in one request"));
    c->batch.limits.series_count_max = 1000;
    assert_int_equal(decode(c, 1, out.data, out.size), TCS_OK);
    c->batch.limits.sample_count_max = 700; /* a capacity kept from before may be larger: so a new batch */
    tcsi_ingest_limits limits = c->batch.limits;
    tcsi_batch_deinit(&c->batch);
    tcsi_batch_init(&c->batch, &limits);
    assert_int_equal(decode(c, 1, out.data, out.size), TCS_E_LIMIT);
    assert_non_null(strstr(c->err.text, "more than 700 samples in one request"));
    tcsi_buffer_deinit(&out);
}

static void test_failing_allocations(void **state)
{
    context *c = *state;
    if (!TCSI_HAVE_SNAPPY) skip();
    tcsi_buffer body = batch_file("remote_write_2.body"), many;
    tcsi_buffer_init(&many, 1 << 24);
    write_many(&many, 600);
    tcsi_batch_deinit(&c->batch);
    for (int which = 0; which < 2; which++) {
        tcs_status status = TCS_E_MEMORY;
        size_t at = 1;
        for (; status == TCS_E_MEMORY; at++) {
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(at);
            tcsi_batch_init(&c->batch, NULL);
            if (which == 0) status = tcsi_ingest_decode(formats[1], body.data, body.size, 0, &c->batch, &c->err);
            else status = decode(c, 1, many.data, many.size);
            assert_true(status == TCS_OK || status == TCS_E_MEMORY);
            if (status == TCS_OK) assert_true(batch_is_sound(&c->batch));
            tcsi_batch_deinit(&c->batch);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
        }
        assert_true(at > 4);
    }
    tcsi_batch_init(&c->batch, NULL);
    tcsi_buffer_deinit(&body);
    tcsi_buffer_deinit(&many);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
TCS_TEST_MAIN(CASE(test_golden_bodies), CASE(test_each_truncation), CASE(test_damaged_bodies), CASE(test_fields_in_any_order),
              CASE(test_refused_series), CASE(test_refused_stale_marks), CASE(test_a_label_ends_with_its_series),
              CASE(test_references_to_symbols), CASE(test_a_warm_batch_allocates_nothing), CASE(test_limits),
              CASE(test_failing_allocations))
