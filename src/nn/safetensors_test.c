/* nn/safetensors_test.c -- files of ours byte by byte and back, files of the safetensors package, and every way in which
 * a file can be wrong.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "nn/op.h"
#include "nn/safetensors.h"

#include <float.h>

/* An operation of nothing but weights: what is saved does not depend on what they are for. */
static tcs_status holder_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_weight weights[] = {
        { .name = "weight", .dims = { 3, 2, 4 }, .dim_count = 3, .start = TCSI_START_NORMAL },
        { .name = "bias", .dims = { 4 }, .dim_count = 1, .start = TCSI_START_NORMAL },
        { .name = "mean", .dims = { 4 }, .dim_count = 1, .is_state = true, .start = TCSI_START_NORMAL },
    };
    tcs_status status = TCS_OK;
    node->shape = (tcsi_shape){ 1, 1 };
    for (size_t i = 0; i < TCS_COUNT(weights) && status == TCS_OK; i++) status = tcsi_net_weight(net, node, &weights[i], err);
    return status;
}

static const tcsi_op holder = { .name = "holder", .shape = holder_shape };

/* Two numbers of one tensor "a.w" of shape (2). */
static tcs_status pair_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    node->shape = (tcsi_shape){ 1, 1 };
    return tcsi_net_weight(net, node, &(tcsi_weight){ .name = "w", .dims = { 2 }, .dim_count = 1, .start = TCSI_START_ONE }, err);
}

static const tcsi_op pair = { .name = "pair", .shape = pair_shape };

static tcsi_net *new_net(const tcsi_op *op, const char *scope, uint64_t seed)
{
    tcsi_net *net = NULL;
    assert_ok(tcsi_net_create(seed, &net, test_err));
    tcsi_net_scope(net, "%s", scope);
    (void)tcsi_net_add(net, op, NULL, 0, NULL);
    assert_ok(tcsi_net_finish(net, test_err));
    return net;
}

static void assert_same_weights(const tcsi_net *a, const tcsi_net *b)
{
    for (size_t i = 0; i < a->tensor_count; i++)
        assert_memory_equal(tcsi_net_values(a, &a->tensors[i]), tcsi_net_values(b, &b->tensors[i]), a->tensors[i].count * sizeof(float));
}

/* A file in memory: the header's length, the header, and `data_size` bytes of 0x3f (floats of 0.747). */
static tcsi_buffer make_file(const char *header, size_t data_size)
{
    tcsi_buffer file;
    size_t length = strlen(header);
    tcsi_buffer_init(&file, SIZE_MAX / 2);
    for (size_t i = 0; i < 8; i++) assert_ok(tcsi_buffer_append(&file, &(char){ (char)(length >> 8 * i) }, 1, test_err));
    assert_ok(tcsi_buffer_append(&file, header, length, test_err));
    for (size_t i = 0; i < data_size; i++) assert_ok(tcsi_buffer_append(&file, "?", 1, test_err));
    return file;
}

/* Refused with these words; the net keeps every bit. */
static void expect_refusal(tcsi_net *net, const void *bytes, size_t size, tcs_status expected, const char *words)
{
    tcs_error err = { 0 };
    size_t weights_size = net->weight_count * sizeof(float), states_size = net->state_count * sizeof(float);
    char *before = malloc(weights_size + states_size), *copy = malloc(size + 1); /* exactly as long as it is, for the sanitizer */
    memcpy(before, net->weights.values, weights_size);
    memcpy(before + weights_size, net->states.values, states_size);
    if (size) memcpy(copy, bytes, size);
    copy = realloc(copy, size ? size : 1);
    tcs_status status = tcsi_safetensors_load(net, copy, size, &err);
    if (status != expected || !strstr(err.text, words))
        print_error("expected %s and '%s', got %s and: %s\n", tcsi_status_name(expected), words, tcsi_status_name(status), err.text);
    assert_int_equal(status, expected);
    assert_non_null(strstr(err.text, words));
    assert_memory_equal(before, net->weights.values, weights_size);
    assert_memory_equal(before + weights_size, net->states.values, states_size);
    free(before);
    free(copy);
}

/* ---- what is written ---- */

static void test_the_bytes_of_a_file(void **state)
{
    (void)state;
    static const char expected[] = "\x58\0\0\0\0\0\0\0"
                                   "{\"__metadata__\":{\"k\":\"v\"},\"a.w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
                                   "       \0\0\x80?\0\0\x80\xbf";
    tcsi_net *net = new_net(&pair, "a", 1);
    tcsi_buffer out;
    net->weights.values[1] = -1;
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(tcsi_safetensors_save(net, &(tcsi_safetensors_note){ "k", "v" }, 1, &out, test_err));
    assert_int_equal(out.size, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.size);
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
}

static void test_round_trip(void **state)
{
    (void)state;
    tcsi_net *net = new_net(&holder, "encoder", 1), *back = new_net(&holder, "encoder", 2);
    const tcsi_safetensors_note notes[] = { { "lineage", "{\"seed\":7}\n" }, { "Größe", "µ \"<é>\" \\" } };
    const float special[] = { -0.0f, FLT_MAX, -FLT_MIN, 1e-45f };
    tcsi_buffer out, text;
    memcpy(tcsi_net_values(net, tcsi_net_find(net, "encoder.bias")), special, sizeof special);
    tcsi_buffer_init(&out, 1 << 20);
    tcsi_buffer_init(&text, 1 << 20);
    assert_ok(tcsi_buffer_puts(&out, "before", test_err));
    assert_ok(tcsi_safetensors_save(net, notes, 2, &out, test_err));
    assert_memory_equal(out.data, "before", 6);
    assert_ok(tcsi_safetensors_load(back, out.data + 6, out.size - 6, test_err));
    assert_same_weights(net, back);
    for (size_t i = 0; i < 2; i++) {
        tcsi_buffer_clear(&text);
        assert_ok(tcsi_safetensors_note_text(out.data + 6, out.size - 6, notes[i].key, &text, test_err));
        assert_string_equal(text.data, notes[i].text);
    }
    assert_int_equal(tcsi_safetensors_note_text(out.data + 6, out.size - 6, "author", &text, NULL), TCS_E_INVALID);
    tcsi_buffer_deinit(&out);
    tcsi_buffer_deinit(&text);
    tcsi_net_destroy(net);
    tcsi_net_destroy(back);
}

static void test_what_is_not_written(void **state)
{
    (void)state;
    tcsi_net *net = new_net(&holder, "encoder", 1);
    const tcsi_safetensors_note notes[] = { { "a", "1" }, { "b", "2" }, { "a", "3" } };
    tcsi_buffer out;
    tcs_error err;
    tcsi_buffer_init(&out, 300);
    assert_ok(tcsi_buffer_puts(&out, "before", test_err));
    assert_int_equal(tcsi_safetensors_save(net, notes, 3, &out, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "a second note 'a'"));
    assert_int_equal(tcsi_safetensors_save(net, NULL, 0, &out, &err), TCS_E_LIMIT);
    tcsi_net_values(net, tcsi_net_find(net, "encoder.mean"))[3] = (float)NAN;
    assert_int_equal(tcsi_safetensors_save(net, NULL, 0, &out, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "number 3 of weight 'encoder.mean' is not a number"));
    tcsi_net_values(net, tcsi_net_find(net, "encoder.weight"))[0] = -INFINITY;
    assert_int_equal(tcsi_safetensors_save(net, NULL, 0, &out, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "number 0 of weight 'encoder.weight' is infinite"));
    assert_string_equal(out.data, "before");
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
}

/* ---- what is read ---- */

static void test_files_of_the_python_package(void **state)
{
    (void)state;
    static const char *const names[] = { "f32", "f16", "bf16", "f64" };
    for (size_t n = 0; n < TCS_COUNT(names); n++) {
        char path[64];
        tcsi_net *net = new_net(&holder, "encoder", 1);
        snprintf(path, sizeof path, "tests/golden/nn/%s.safetensors", names[n]);
        assert_ok(tcsi_safetensors_read(net, test_source(path), test_err));
        for (size_t t = 0; t < net->tensor_count; t++)
            for (size_t i = 0; i < net->tensors[t].count; i++)
                assert_true((double)tcsi_net_values(net, &net->tensors[t])[i] == ((double)i - 7) * (double)(t + 1) / 8);
        tcsi_net_destroy(net);
    }
    tcsi_net *net = new_net(&holder, "encoder", 1);
    tcs_error err;
    assert_int_equal(tcsi_safetensors_read(net, test_source("tests/golden/nn/i64.safetensors"), &err), TCS_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "i64.safetensors: tensor 'encoder.count' is of type I64, expected F32, F16, BF16 or F64"));
    tcsi_net_destroy(net);
}

/* sign, exponent and fraction of any format of 16 bits, as the standard defines the value. */
static double value_of(unsigned bits, int exponent_size)
{
    int fraction_size = 15 - exponent_size, bias = (1 << (exponent_size - 1)) - 1;
    unsigned exponent = bits >> fraction_size & ((1u << exponent_size) - 1), fraction = bits & ((1u << fraction_size) - 1);
    double sign = bits & 0x8000 ? -1 : 1, part = ldexp(fraction, -fraction_size);
    if (exponent == (1u << exponent_size) - 1) return NAN;
    return sign * (exponent == 0 ? ldexp(part, 1 - bias) : ldexp(1 + part, (int)exponent - bias));
}

static void test_every_number_of_16_bits(void **state)
{
    (void)state;
    static const struct { const char *name; int exponent_size; } formats[] = { { "F16", 5 }, { "BF16", 8 } };
    tcsi_net *net = new_net(&pair, "a", 1);
    for (size_t f = 0; f < TCS_COUNT(formats); f++) {
        char header[128];
        snprintf(header, sizeof header, "{\"a.w\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,4]}}", formats[f].name);
        tcsi_buffer file = make_file(header, 4);
        char *data = file.data + file.size - 4;
        for (unsigned bits = 0; bits < 65536; bits++) {
            double expected = value_of(bits, formats[f].exponent_size);
            data[2] = (char)bits;
            data[3] = (char)(bits >> 8);
            tcs_status status = tcsi_safetensors_load(net, file.data, file.size, NULL);
            assert_int_equal(status, isnan(expected) ? TCS_E_INVALID : TCS_OK);
            if (status != TCS_OK) continue;
            assert_true((double)net->weights.values[1] == expected);
            assert_int_equal(signbit(net->weights.values[1]) != 0, bits >> 15);
        }
        tcsi_buffer_deinit(&file);
    }
    tcsi_net_destroy(net);
}

static void put_doubles(tcsi_buffer *file, double first, double second)
{
    const double values[] = { first, second };
    for (size_t k = 0; k < 2; k++) {
        uint64_t bits;
        memcpy(&bits, &values[k], sizeof bits);
        for (size_t i = 0; i < 8; i++) file->data[file->size - 16 + 8 * k + i] = (char)(bits >> 8 * i);
    }
}

static void test_doubles_are_rounded(void **state)
{
    (void)state;
    tcsi_net *net = new_net(&pair, "a", 1);
    tcsi_buffer file = make_file("{\"a.w\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16);
    put_doubles(&file, 0.1, -1e-60);
    assert_ok(tcsi_safetensors_load(net, file.data, file.size, test_err));
    assert_true(net->weights.values[0] == 0.1f && net->weights.values[1] == 0);
    put_doubles(&file, 0.5, 1e39);
    expect_refusal(net, file.data, file.size, TCS_E_INVALID, "number 1 of tensor 'a.w' is infinite");
    put_doubles(&file, NAN, 1);
    expect_refusal(net, file.data, file.size, TCS_E_INVALID, "number 0 of tensor 'a.w' is not a number");
    tcsi_buffer_deinit(&file);
    tcsi_net_destroy(net);
}

/* ---- what is refused ---- */

static const struct bad_file {
    const char *header;
    size_t data_size;
    tcs_status status;
    const char *words;
} bad_files[] = {
#define W "\"a.w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define TENSOR(name, type, shape, offsets) "\"" name "\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" offsets "]}"
    /* the header */
    { "", 0, TCS_E_FORMAT, "does not begin with '{'" },
    { "[]", 0, TCS_E_FORMAT, "does not begin with '{'" },
    { " {}", 0, TCS_E_FORMAT, "does not begin with '{'" },
    { "{" W, 8, TCS_E_FORMAT, "the header: JSON line 1 column" },
    { "{" W "} x", 8, TCS_E_FORMAT, "expected nothing after the document" },
    { "{" W ",}", 8, TCS_E_FORMAT, "expected a key in quotes" },
    { "{\"a\xff.w\":1}", 0, TCS_E_FORMAT, "expected a UTF-8 character" },
    { "{" W ",\"__metadata__\":7}", 8, TCS_E_FORMAT, "__metadata__ in the header is no object of texts" },
    { "{\"__metadata__\":{\"a\":\"b\",\"c\":1}," W "}", 8, TCS_E_FORMAT, "__metadata__ in the header is no object of texts" },
    { "{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}," W "}", 8, TCS_E_FORMAT, "'a' stands twice in the header" },
    { "{\"__metadata__\":{},\"__metadata__\":{}," W "}", 8, TCS_E_FORMAT, "'__metadata__' stands twice in the header" },
    { "{" W "," W "}", 8, TCS_E_FORMAT, "'a.w' stands twice in the header" },
    { "{" W "," TENSOR("a.w\\u0000", "F32", "0", "8,8") "}", 8, TCS_E_FORMAT, "a name with a 0 byte after 'a.w'" },
    /* an entry */
    { "{\"a.w\":[]}", 0, TCS_E_FORMAT, "tensor 'a.w': expected a dtype, a shape and two data_offsets" },
    { "{\"a.w\":{}}", 0, TCS_E_FORMAT, "two data_offsets" },
    { "{\"a.w\":{\"dtype\":\"F32\",\"shape\":[2]}}", 0, TCS_E_FORMAT, "two data_offsets" },
    { "{\"a.w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2]}}", 0, TCS_E_FORMAT, "two data_offsets" },
    { "{\"a.w\":{\"dtype\":3,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, TCS_E_FORMAT, "two data_offsets" },
    { "{\"a.w\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, TCS_E_FORMAT, "two data_offsets" },
    { "{\"a.w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8, TCS_E_FORMAT, "two data_offsets" },
    { "{" TENSOR("a.w", "F32", "2", "0,4,8") "}", 8, TCS_E_FORMAT, "two data_offsets" },
    { "{" TENSOR("a.w", "F32", "2", "8") "}", 8, TCS_E_FORMAT, "two data_offsets" },
    { "{" TENSOR("a.w", "F32", "-2", "0,8") "}", 8, TCS_E_FORMAT, "not whole numbers" },
    { "{" TENSOR("a.w", "F32", "2.0", "0,8") "}", 8, TCS_E_FORMAT, "not whole numbers" },
    { "{" TENSOR("a.w", "F32", "2e0", "0,8") "}", 8, TCS_E_FORMAT, "not whole numbers" },
    { "{" TENSOR("a.w", "F32", "\\\"2\\\"", "0,8") "}", 8, TCS_E_FORMAT, "JSON" },
    { "{" TENSOR("a.w", "F32", "true", "0,8") "}", 8, TCS_E_FORMAT, "not whole numbers" },
    { "{" TENSOR("a.w", "F32", "2", "0,8.5") "}", 8, TCS_E_FORMAT, "not whole numbers" },
    { "{" TENSOR("a.w", "F32", "18446744073709551616", "0,0") "}", 0, TCS_E_FORMAT, "not whole numbers" },
    { "{" TENSOR("a.w", "F32", "2", "0,99999999999999999999999") "}", 8, TCS_E_FORMAT, "not whole numbers" },
    { "{" TENSOR("a.w", "I64", "2", "0,16") "}", 16, TCS_E_UNSUPPORTED, "tensor 'a.w' is of type I64, expected F32, F16, BF16 or F64" },
    { "{" TENSOR("a.w", "F8_E4M3", "2", "0,2") "}", 2, TCS_E_UNSUPPORTED, "is of type F8_E4M3" },
    { "{" TENSOR("a.w", "f32", "2", "0,8") "}", 8, TCS_E_UNSUPPORTED, "is of type f32" },
    { "{" TENSOR("a.w", "F32\\u001b[2J", "2", "0,8") "}", 8, TCS_E_UNSUPPORTED, "is of type F32?[2J" },
    /* sizes and places */
    { "{" TENSOR("a.w", "F32", "4611686018427387904,4", "0,0") "}", 0, TCS_E_FORMAT, "(4611686018427387904,4) is larger than any memory" },
    { "{" TENSOR("a.w", "F64", "4611686018427387904", "0,0") "}", 0, TCS_E_FORMAT, "larger than any memory" },
    { "{" TENSOR("a.w", "F32", "2", "0,8") "}", 7, TCS_E_FORMAT, "bytes 0 to 8 of the data, which has 7 (is it truncated?)" },
    { "{" TENSOR("a.w", "F32", "2", "8,0") "}", 8, TCS_E_FORMAT, "bytes 8 to 0 of the data" },
    { "{" TENSOR("a.w", "F32", "2", "0,4") "}", 4, TCS_E_FORMAT, "4 bytes of data, expected 8 for shape (2) of F32" },
    { "{" TENSOR("a.w", "F16", "2", "0,8") "}", 8, TCS_E_FORMAT, "8 bytes of data, expected 4 for shape (2) of F16" },
    { "{" TENSOR("a.w", "F32", "2", "4,12") "}", 12, TCS_E_FORMAT, "begins at byte 4 of the data, expected 0: there is a gap before it" },
    { "{" TENSOR("b", "F32", "1", "12,16") "," W "}", 16, TCS_E_FORMAT, "'b' begins at byte 12 of the data, expected 8: there is a gap" },
    { "{" TENSOR("b", "F32", "2", "4,12") "," W "}", 12, TCS_E_FORMAT, "'b' begins at byte 4 of the data, expected 8: it overlaps" },
    { "{" TENSOR("b", "F32", "2", "0,8") "," W "}", 8, TCS_E_FORMAT, "begins at byte 0 of the data, expected 8: it overlaps" },
    { "{" W "}", 9, TCS_E_FORMAT, "9 bytes of data, expected 8: the last tensor ends there" },
    /* not the weights of this net */
    { "{}", 0, TCS_E_INVALID, "tensor 'a.w' is missing, expected all 1 weights" },
    { "{" TENSOR("a.v", "F32", "2", "0,8") "}", 8, TCS_E_INVALID, "tensor 'a.v' is none of the net's 1 weights; nearest: 'a.w'" },
    { "{" W "," TENSOR("zebra", "F32", "1", "8,12") "}", 12, TCS_E_INVALID, "tensor 'zebra' is none of the net's 1 weights" },
    { "{" W "," TENSOR("empty", "F32", "0", "8,8") "}", 8, TCS_E_INVALID, "tensor 'empty' is none of the net's" },
    { "{" TENSOR("a.w", "F32", "1,2", "0,8") "}", 8, TCS_E_INVALID, "tensor 'a.w' has shape (1,2), expected (2)" },
    { "{" TENSOR("a.w", "F32", "2,1", "0,8") "}", 8, TCS_E_INVALID, "has shape (2,1), expected (2)" },
    { "{" TENSOR("a.w", "F32", "", "0,4") "}", 4, TCS_E_INVALID, "has shape (), expected (2)" },
    { "{" TENSOR("a.w", "F32", "3", "0,12") "}", 12, TCS_E_INVALID, "has shape (3), expected (2)" },
    { "{" TENSOR("a.w", "F32", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2", "0,8") "}", 8, TCS_E_INVALID,
      "..., expected (2)" },
};

static void test_refusals(void **state)
{
    (void)state;
    tcsi_net *net = new_net(&pair, "a", 1);
    for (size_t i = 0; i < TCS_COUNT(bad_files); i++) {
        tcsi_buffer file = make_file(bad_files[i].header, bad_files[i].data_size);
        expect_refusal(net, file.data, file.size, bad_files[i].status, bad_files[i].words);
        tcsi_buffer_deinit(&file);
    }
    tcsi_buffer file = make_file("{" W "}   ", 8); /* what they are variations of */
    assert_ok(tcsi_safetensors_load(net, file.data, file.size, test_err));
    assert_true(net->weights.values[0] == net->weights.values[1] && net->weights.values[0] < 0.75f);
    tcsi_buffer_deinit(&file);
    tcsi_net_destroy(net);
}

static void test_lengths_of_the_header(void **state)
{
    (void)state;
    tcsi_net *net = new_net(&pair, "a", 1);
    tcsi_buffer file = make_file("{" W "}", 8);
    expect_refusal(net, "", 0, TCS_E_FORMAT, "0 bytes, expected a safetensors file");
    expect_refusal(net, file.data, 7, TCS_E_FORMAT, "7 bytes, expected a safetensors file");
    expect_refusal(net, file.data, 8, TCS_E_FORMAT, "truncated: a header of 56 bytes, of which 0 are there");
    file.data[3] = 5; /* 56 + 5 * 2^24 */
    expect_refusal(net, file.data, file.size, TCS_E_FORMAT, "truncated: a header of 83886136 bytes");
    file.data[3] = 6;
    expect_refusal(net, file.data, file.size, TCS_E_FORMAT, "a header of 100663352 bytes, expected at most 100000000");
    memset(file.data, 0xff, 8);
    expect_refusal(net, file.data, file.size, TCS_E_FORMAT, "a header of 18446744073709551615 bytes");
    tcsi_buffer_deinit(&file);
    tcsi_net_destroy(net);
}

static void test_truncated_anywhere(void **state)
{
    (void)state;
    tcsi_net *net = new_net(&holder, "encoder", 1);
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(tcsi_safetensors_save(net, NULL, 0, &out, test_err));
    size_t header_end = 8 + (size_t)(unsigned char)out.data[0];
    for (size_t size = 0; size < out.size; size++)
        expect_refusal(net, out.data, size, TCS_E_FORMAT,
                       size < 8 ? "expected a safetensors file" : size < header_end ? "truncated: a header" : "is it truncated?");
    expect_refusal(net, out.data, out.size + 1, TCS_E_FORMAT, "the last tensor ends there"); /* the 0 byte behind a buffer */
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
}

static void test_nearest_name(void **state)
{
    (void)state;
    tcsi_net *net = new_net(&holder, "encoder", 1), *other = new_net(&holder, "encodr", 1);
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(tcsi_safetensors_save(other, NULL, 0, &out, test_err));
    expect_refusal(net, out.data, out.size, TCS_E_INVALID, "tensor 'encodr.bias' is none of the net's 3 weights; nearest: 'encoder.bias'");
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
    tcsi_net_destroy(other);
}

/* A header of many entries is read in time; a tree beyond its bound is a clean failure. */
static void test_large_headers(void **state)
{
    (void)state;
    size_t count = test_is_small() ? 3000 : 200000;
    tcsi_net *net = new_net(&pair, "a", 1);
    tcsi_buffer header;
    tcsi_buffer_init(&header, 1 << 28);
    assert_ok(tcsi_buffer_puts(&header, "{", test_err));
    for (size_t i = 0; i < count; i++)
        assert_ok(tcsi_buffer_printf(&header, test_err, "\"b%zu\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},", i));
    assert_ok(tcsi_buffer_puts(&header, W "}", test_err));
    tcsi_buffer file = make_file(header.data, 8);
    expect_refusal(net, file.data, file.size, TCS_E_INVALID, "tensor 'b0' is none of the net's 1 weights");
    tcsi_buffer_deinit(&file);
    tcsi_buffer_clear(&header);
    assert_ok(tcsi_buffer_puts(&header, "{\"a\":[", test_err));
    for (size_t i = 0; i < 2500000 && !test_is_small(); i++) assert_ok(tcsi_buffer_puts(&header, "[],", test_err));
    assert_ok(tcsi_buffer_puts(&header, "[]]}", test_err));
    file = make_file(header.data, 0);
    expect_refusal(net, file.data, file.size, test_is_small() ? TCS_E_FORMAT : TCS_E_MEMORY, "");
    tcsi_buffer_deinit(&file);
    tcsi_buffer_deinit(&header);
    tcsi_net_destroy(net);
}

/* ---- files and memory ---- */

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/tocsin-safetensors-XXXXXX", path[64];
    tcsi_net *net = new_net(&holder, "encoder", 1), *back = new_net(&holder, "encoder", 2);
    tcs_error err;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/net.safetensors", folder);
    assert_int_equal(tcsi_safetensors_read(net, path, &err), TCS_E_IO);
    assert_non_null(strstr(err.text, path));
    assert_ok(tcsi_safetensors_write(net, NULL, 0, path, test_err));
    assert_ok(tcsi_safetensors_read(back, path, test_err));
    assert_same_weights(net, back);
    net->weights.values[0] = (float)NAN;
    assert_int_equal(tcsi_safetensors_write(net, NULL, 0, path, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, path));
    assert_ok(tcsi_safetensors_read(back, path, test_err)); /* still the old one */
    assert_ok(tcsi_file_write(path, "", 0, test_err));
    assert_int_equal(tcsi_safetensors_read(back, path, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, path));
    assert_int_equal(tcsi_safetensors_read(back, "/dev/zero", &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "/dev/zero: more than 100000264 bytes"));
    unlink(path);
    rmdir(folder);
    tcsi_net_destroy(net);
    tcsi_net_destroy(back);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    tcsi_net *net = new_net(&holder, "encoder", 1);
    tcsi_buffer saved;
    tcsi_buffer_init(&saved, 1 << 20);
    assert_ok(tcsi_safetensors_save(net, &(tcsi_safetensors_note){ "k", "v" }, 1, &saved, test_err));
    tcs_status status = TCS_E_MEMORY;
    size_t at = 0;
    while (status == TCS_E_MEMORY) {
        tcsi_buffer out, text;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_buffer_init(&out, 1 << 20);
        tcsi_buffer_init(&text, 1 << 20);
        tcsi_alloc_trace_fail_at(++at);
        status = tcsi_safetensors_save(net, &(tcsi_safetensors_note){ "k", "v" }, 1, &out, &err);
        if (status == TCS_OK) status = tcsi_safetensors_load(net, saved.data, saved.size, &err);
        if (status == TCS_OK) status = tcsi_safetensors_note_text(saved.data, saved.size, "k", &text, &err);
        tcsi_alloc_trace_fail_at(0);
        assert_true(status == TCS_OK || (status == TCS_E_MEMORY && strlen(err.text) > 5));
        tcsi_buffer_deinit(&out);
        tcsi_buffer_deinit(&text);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
    assert_true(at > 5 && status == TCS_OK);
    tcsi_buffer_deinit(&saved);
    tcsi_net_destroy(net);
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_bytes_of_a_file), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_what_is_not_written),
              cmocka_unit_test(test_files_of_the_python_package), cmocka_unit_test(test_every_number_of_16_bits),
              cmocka_unit_test(test_doubles_are_rounded), cmocka_unit_test(test_refusals), cmocka_unit_test(test_lengths_of_the_header),
              cmocka_unit_test(test_truncated_anywhere), cmocka_unit_test(test_nearest_name), cmocka_unit_test(test_large_headers),
              cmocka_unit_test(test_files), cmocka_unit_test(test_failing_allocations))
