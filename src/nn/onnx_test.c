/* nn/onnx_test.c -- models are sound messages and sound graphs, hold what is needed and no more, and are refused with a sentence.  What
 * they compute is compared by tests/onnx/run.py, with ONNX Runtime.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "nn_cases.h"
#include "nn/onnx.h"
#include "tocsin_config.h"

/* ---- a reader of messages: every byte belongs to a field that onnx.proto has ---- */

typedef enum message {
    MODEL, OPSET, NOTE, GRAPH, NODE, ATTRIBUTE, TENSOR, PORT, TYPE, TENSOR_TYPE, SHAPE, DIM,
    NUMBER, TEXT, FLOAT, /* no messages */
} message;

static const struct schema {
    message inside;
    unsigned field;
    message kind;
} schema[] = {
    { MODEL, 1, NUMBER }, { MODEL, 2, TEXT }, { MODEL, 3, TEXT }, { MODEL, 7, GRAPH }, { MODEL, 8, OPSET }, { MODEL, 14, NOTE },
    { OPSET, 2, NUMBER }, { NOTE, 1, TEXT }, { NOTE, 2, TEXT },
    { GRAPH, 1, NODE }, { GRAPH, 2, TEXT }, { GRAPH, 5, TENSOR }, { GRAPH, 11, PORT }, { GRAPH, 12, PORT },
    { NODE, 1, TEXT }, { NODE, 2, TEXT }, { NODE, 3, TEXT }, { NODE, 4, TEXT }, { NODE, 5, ATTRIBUTE },
    { ATTRIBUTE, 1, TEXT }, { ATTRIBUTE, 2, FLOAT }, { ATTRIBUTE, 3, NUMBER }, { ATTRIBUTE, 4, TEXT }, { ATTRIBUTE, 8, NUMBER },
    { ATTRIBUTE, 20, NUMBER },
    { TENSOR, 1, NUMBER }, { TENSOR, 2, NUMBER }, { TENSOR, 8, TEXT }, { TENSOR, 9, TEXT },
    { PORT, 1, TEXT }, { PORT, 2, TYPE }, { TYPE, 1, TENSOR_TYPE }, { TENSOR_TYPE, 1, NUMBER }, { TENSOR_TYPE, 2, SHAPE },
    { SHAPE, 1, DIM }, { DIM, 1, NUMBER }, { DIM, 2, TEXT },
};

enum { NAMES_MAX = 4096, NAME_SIZE = 160 };

/* What is known of the graph so far. */
typedef struct graph {
    char names[NAMES_MAX][NAME_SIZE];
    bool used[NAMES_MAX];
    size_t count, input_count, output_count, node_count, transpose_count, opset_count, note_count;
    uint64_t elements, element_type; /* of the tensor being read */
    bool is_output;
} graph;

static graph found; /* large, and one at a time */

static uint64_t read_varint(const unsigned char **at, const unsigned char *end)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(*at < end && shift < 70);
        unsigned char byte = *(*at)++;
        value |= shift < 64 ? (uint64_t)(byte & 127) << shift : 0;
        if (byte < 128) return value;
    }
}

static size_t find_name(const char *name)
{
    for (size_t i = 0; i < found.count; i++)
        if (strcmp(found.names[i], name) == 0) return i;
    return SIZE_MAX;
}

static void define(const char *name)
{
    assert_true(find_name(name) == SIZE_MAX && found.count < NAMES_MAX && *name);
    memcpy(found.names[found.count], name, strlen(name) + 1);
    found.used[found.count++] = false;
}

static void use(const char *name)
{
    size_t index = find_name(name);
    if (index == SIZE_MAX) print_error("'%s' is used before it is made\n", name);
    assert_true(index != SIZE_MAX);
    found.used[index] = true;
}

static void see_text(message inside, unsigned field, const unsigned char *bytes, size_t size)
{
    char text[NAME_SIZE] = "";
    if (inside == TENSOR && field == 9) assert_true(found.elements * (found.element_type == 1 ? 4 : 8) == size);
    if (size >= sizeof text) return;
    memcpy(text, bytes, size);
    if (inside == NODE && field == 1 && size > 0) use(text);
    if (inside == NODE && field == 2) define(text);
    if (inside == NODE && field == 4) {
        found.node_count++;
        found.transpose_count += strcmp(text, "Transpose") == 0;
    }
    if (inside == TENSOR && field == 8) define(text);
    if (inside == PORT && field == 1 && found.is_output) use(text);
    if (inside == PORT && field == 1 && !found.is_output) define(text);
}

static void see_number(message inside, unsigned field, uint64_t number)
{
    if (inside == MODEL && field == 1) assert_true(number == 8);
    if (inside == OPSET && field == 2) assert_true(number == 17);
    if (inside == TENSOR && field == 1) found.elements *= number;
    if (inside == TENSOR && field == 2) found.element_type = number;
    if (inside == TENSOR && field == 2) assert_true(number == 1 || number == 7);
}

static void see_message(message inside, unsigned field, message kind)
{
    if (kind == TENSOR) found.elements = 1;
    if (kind == OPSET) found.opset_count++;
    if (kind == NOTE) found.note_count++;
    if (kind != PORT || inside != GRAPH) return;
    found.is_output = field == 12;
    found.input_count += field == 11;
    found.output_count += field == 12;
}

static void read_message(message inside, const unsigned char *at, const unsigned char *end)
{
    while (at < end) {
        uint64_t key = read_varint(&at, end);
        const struct schema *entry = NULL;
        for (size_t i = 0; i < TCS_COUNT(schema); i++)
            if (schema[i].inside == inside && schema[i].field == key >> 3) entry = &schema[i];
        assert_non_null(entry);
        assert_true((key & 7) == (entry->kind == NUMBER ? 0 : entry->kind == FLOAT ? 5 : 2));
        if (entry->kind == NUMBER) {
            see_number(inside, entry->field, read_varint(&at, end));
            continue;
        }
        uint64_t size = entry->kind == FLOAT ? 4 : read_varint(&at, end);
        assert_true(size <= (uint64_t)(end - at));
        if (entry->kind == TEXT) see_text(inside, entry->field, at, (size_t)size);
        if (entry->kind < NUMBER) see_message(inside, entry->field, entry->kind);
        if (entry->kind < NUMBER) read_message(entry->kind, at, at + size);
        at += size;
    }
}

/* Every byte read, every value made once, before it is used, and used. */
static void check_model(const char *bytes, size_t size)
{
    memset(&found, 0, sizeof found);
    read_message(MODEL, (const unsigned char *)bytes, (const unsigned char *)bytes + size);
    for (size_t i = 0; i < found.count; i++) {
        if (!found.used[i]) print_error("nobody uses '%s'\n", found.names[i]);
        assert_true(found.used[i]);
    }
    assert_true(found.opset_count == 1 && found.output_count >= 1 && found.node_count >= 1);
}

/* ---- nets ---- */

static tcsi_net *new_net(void)
{
    tcsi_net *net = NULL;
    assert_ok(tcsi_net_create(1, &net, test_err));
    return net;
}

/* The model of some outputs, checked. */
static tcsi_buffer save(const tcsi_net *net, const tcsi_node_id *outputs, size_t output_count)
{
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 24);
    assert_ok(tcsi_onnx_save(&(tcsi_onnx_options){ .net = net, .outputs = outputs, .output_count = output_count }, &out, test_err));
    check_model(out.data, out.size);
    return out;
}

static void expect_refusal(const tcsi_onnx_options *options, tcs_status expected, const char *words)
{
    tcsi_buffer out;
    tcs_error err = { 0 };
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(tcsi_buffer_puts(&out, "before", test_err));
    tcs_status status = tcsi_onnx_save(options, &out, &err);
    if (!strstr(err.text, words)) print_error("expected '%s', got: %s\n", words, err.text);
    assert_int_equal(status, expected);
    assert_non_null(strstr(err.text, words));
    assert_string_equal(out.data, "before");
    tcsi_buffer_deinit(&out);
}

static void test_every_case_is_sound_or_refused(void **state)
{
    (void)state;
    for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) {
        nn_bench bench;
        assert_ok(nn_bench_init(&bench, &nn_cases[k], 2, test_err));
        tcsi_buffer first, second;
        tcs_error err = { 0 };
        tcsi_onnx_options options = { .net = bench.net, .outputs = &bench.looked_at, .output_count = 1 };
        tcsi_buffer_init(&first, 1 << 24);
        tcsi_buffer_init(&second, 1 << 24);
        tcs_status status = tcsi_onnx_save(&options, &first, &err);
        assert_true(status == TCS_OK || status == TCS_E_UNSUPPORTED);
        if (status == TCS_E_UNSUPPORTED) assert_non_null(strstr(err.text, "cannot be exported as ONNX: "));
        if (status == TCS_OK) {
            check_model(first.data, first.size);
            assert_ok(tcsi_buffer_puts(&second, "x", test_err));
            assert_ok(tcsi_onnx_save(&options, &second, test_err));
            assert_int_equal(first.size + 1, second.size);
            assert_memory_equal(first.data, second.data + 1, first.size);
        }
        tcsi_buffer_deinit(&first);
        tcsi_buffer_deinit(&second);
        nn_bench_deinit(&bench);
    }
}

/* y = x w with w = 1, from the lists of fields in onnx.proto. */
static void test_the_bytes_of_a_model(void **state)
{
    (void)state;
    static const char head[] = "\x08\x08\x12\x06" "tocsin\x1a", tail[] =
        "\x42\x02\x10\x11"
        "\x3a\xd4\x01\x12\x06" "tocsin"
        "\x5a\x21\x0a\x06" "input0\x12\x17\x0a\x15\x08\x01\x12\x11\x0a\x07\x12\x05" "batch\x0a\x02\x08\x01\x0a\x02\x08\x01"
        "\x2a\x16\x08\x01\x08\x01\x10\x01\x42\x08" "d.weight\x4a\x04\0\0\x80?"
        "\x0a\x3c\x0a\x06" "input0\x0a\x08" "d.weight\x12\x0f" "dense1/MatMul_1\x1a\x0f" "dense1/MatMul_1\"\x06" "MatMul"
        "\x0a\x2d\x0a\x0f" "dense1/MatMul_1\x12\x07" "output0\x1a\x07" "output0\"\x08" "Identity"
        "\x62\x22\x0a\x07" "output0\x12\x17\x0a\x15\x08\x01\x12\x11\x0a\x07\x12\x05" "batch\x0a\x02\x08\x01\x0a\x02\x08\x01";
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 1);
    tcsi_net_scope(net, "d");
    tcsi_node_id y = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 1, .without_bias = true });
    assert_ok(tcsi_net_finish(net, test_err));
    net->weights.values[0] = 1;
    tcsi_buffer out = save(net, &y, 1), expected;
    tcsi_buffer_init(&expected, 1 << 10);
    assert_ok(tcsi_buffer_append(&expected, head, sizeof head - 1, test_err));
    assert_ok(tcsi_buffer_printf(&expected, test_err, "%c%s", (int)strlen(TCSI_VERSION), TCSI_VERSION));
    assert_ok(tcsi_buffer_append(&expected, tail, sizeof tail - 1, test_err));
    assert_int_equal(out.size, expected.size);
    assert_memory_equal(out.data, expected.data, out.size);
    tcsi_buffer_deinit(&out);
    tcsi_buffer_deinit(&expected);
    tcsi_net_destroy(net);
}

static void test_rows_of_convolutions_are_swapped_once(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    const tcsi_conv_options options = { .channels = 4, .kernel = 3, .activation = TCSI_ACTIVATION_RELU };
    tcsi_node_id x = tcsi_nn_input(net, 9, 4), h = tcsi_nn_conv(net, x, &options), y = h;
    for (size_t i = 0; i < 5; i++) y = tcsi_nn_conv_residual(net, y, i % 2 ? h : x, &options);
    assert_ok(tcsi_net_finish(net, test_err));
    tcsi_buffer out = save(net, &y, 1);
    assert_int_equal(found.transpose_count, 2);
    tcsi_buffer_deinit(&out);
    out = save(net, (tcsi_node_id[]){ y, h }, 2); /* a value in the middle is wanted as well */
    assert_int_equal(found.transpose_count, 3);
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
}

static void test_nothing_but_what_is_needed(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 2, 3), target = tcsi_nn_input(net, 2, 2), other = tcsi_nn_input(net, 2, 3);
    tcsi_node_id y = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 2 });
    tcsi_node_id again = tcsi_net_share(net, y, &other, 1), loss = tcsi_nn_loss_squared(net, y, target);
    assert_ok(tcsi_net_finish(net, test_err));
    tcsi_buffer out = save(net, &y, 1);
    assert_true(found.input_count == 1 && find_name("input0") != SIZE_MAX && find_name("output0") != SIZE_MAX);
    tcsi_buffer_deinit(&out);
    out = save(net, (tcsi_node_id[]){ y, again }, 2); /* shared weights stand once: names are unique */
    assert_true(found.input_count == 2 && find_name("input2") != SIZE_MAX && find_name("dense3.weight") != SIZE_MAX);
    tcsi_buffer_deinit(&out);
    out = save(net, (tcsi_node_id[]){ loss, x, x }, 3); /* an input may be an output, and one node two of them */
    assert_true(found.input_count == 2 && found.output_count == 3);
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
}

/* An operation that wants its weight (2,1) as (1,2), and is refused when it has another form. */
static tcs_status turned_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    return tcsi_net_weight(net, node, &(tcsi_weight){ .name = "weight", .dims = { 2, 1 }, .dim_count = 2 }, err);
}

static tcsi_onnx_value turned_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const float *values = tcsi_net_values(net, &net->tensors[node->weights[0]]);
    return tcsi_onnx_of_two(onnx, "Mul", tcsi_onnx_input_of(onnx, node, 0),
                            tcsi_onnx_weight_as(onnx, node, 0, values, (size_t[]){ 1, 2 }, 2));
}

static const tcsi_op turned = { .name = "turned", .input_min = 1, .input_max = 1, .shape = turned_shape, .onnx = turned_onnx };

/* One weight that two operations read in different orders is two constants, however often each stands in the net. */
static void test_tied_weights(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 2), y = tcsi_net_add(net, &turned, &x, 1, NULL);
    y = tcsi_net_share(net, y, &y, 1);
    tcsi_node_id h = tcsi_net_add_tied(net, y, &tcsi_op_dense, &y, 1, &(tcsi_dense_options){ .units = 1, .without_bias = true });
    tcsi_node_id again = tcsi_net_share(net, h, &x, 1);
    assert_ok(tcsi_net_finish(net, test_err));
    assert_int_equal(net->tensor_count, 1);
    tcsi_buffer out = save(net, (tcsi_node_id[]){ y, h, again }, 3);
    assert_true(find_name("turned1.weight") != SIZE_MAX && find_name("turned1.weight/as_it_stands") != SIZE_MAX);
    assert_int_equal(found.count, 1 + 2 + 4 + 3); /* the input, constants, values, outputs */
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
}

/* ---- what is refused ---- */

static tcs_status odd_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    (void)net;
    (void)err;
    node->shape = (tcsi_shape){ 1, 1 };
    return TCS_OK;
}

static tcsi_onnx_value odd_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    (void)net;
    return tcsi_onnx_refuse(onnx, node, "it has %d legs", 3);
}

static const tcsi_op odd = { .name = "odd", .input_max = 1, .shape = odd_shape, .onnx = odd_onnx };
static const tcsi_op silent = { .name = "silent", .input_max = 1, .shape = odd_shape };

static void test_refusals(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 1, 1), y = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 2 });
    tcsi_node_id three = tcsi_net_add(net, &odd, &y, 1, NULL), none = tcsi_net_add(net, &silent, &y, 1, NULL), beyond = 99;
    assert_ok(tcsi_net_finish(net, test_err));
    const char *good[] = { "x" }, *twice[] = { "x", "x" }, *point[] = { "a.b" }, *digit[] = { "1a" }, *empty[] = { "" };
    tcsi_onnx_options options = { .net = net, .outputs = &beyond, .output_count = 1 };
    expect_refusal(&options, TCS_E_INVALID, "output 0 of an ONNX model is no node of the net");
    options.outputs = &three;
    expect_refusal(&options, TCS_E_UNSUPPORTED, "odd cannot be exported as ONNX: it has 3 legs");
    options.outputs = &none;
    expect_refusal(&options, TCS_E_UNSUPPORTED, "silent cannot be exported as ONNX: the operation has no form in it");
    options.outputs = (tcsi_node_id[]){ y, y };
    options.output_count = 2;
    options.output_names = twice;
    expect_refusal(&options, TCS_E_INVALID, "two inputs or outputs of an ONNX model are called 'x'");
    options.output_count = 1;
    options.input_names = good;
    expect_refusal(&options, TCS_E_INVALID, "two inputs or outputs of an ONNX model are called 'x'");
    options.output_names = point;
    expect_refusal(&options, TCS_E_INVALID, "'a.b' cannot name an input or output");
    options.output_names = digit;
    expect_refusal(&options, TCS_E_INVALID, "'1a' cannot name");
    options.output_names = empty;
    expect_refusal(&options, TCS_E_INVALID, "'' cannot name");
    options.output_names = NULL;
    net->weights.values[1] = INFINITY;
    expect_refusal(&options, TCS_E_INVALID, "number 1 of weight 'dense1.weight' is infinite");
    tcsi_net_destroy(net);
}

/* ---- a graph, piece by piece ---- */

/* (input - mean) / deviation, a net with its error, a second net, and whether the sum is above a threshold. */
static tcs_status save_pipeline(const tcsi_net *net, tcsi_node_id loss, bool misses_input, tcsi_buffer *out, tcs_error *err)
{
    tcsi_onnx *onnx;
    const float mean[3] = { 1, 2, 3 }, deviation[3] = { 2, 2, 4 };
    tcs_status status = tcsi_onnx_create(out, &onnx, err);
    if (status != TCS_OK) return status;
    tcsi_onnx_note(onnx, "lineage", "{\"seed\":1}");
    tcsi_onnx_value rows = tcsi_onnx_input(onnx, &(tcsi_onnx_port){ "rows", { TCSI_ONNX_BATCH, 4, 3 }, 3, 0 }), errors[2];
    tcsi_onnx_scope(onnx, "scaling");
    rows = tcsi_onnx_of_two(onnx, "Sub", rows, tcsi_onnx_floats(onnx, mean, (size_t[]){ 3 }, 1));
    rows = tcsi_onnx_of_two(onnx, "Div", rows, tcsi_onnx_floats(onnx, deviation, (size_t[]){ 1, 3 }, 2));
    for (size_t i = 0; i < 2; i++)
        tcsi_onnx_net(onnx, net, (tcsi_onnx_value[]){ rows, misses_input ? (tcsi_onnx_value){ 0 } : rows }, &loss, 1, &errors[i]);
    tcsi_onnx_value score = tcsi_onnx_of_two(onnx, "Add", errors[0], errors[1]);
    score = tcsi_onnx_of_two(onnx, "Reshape", score, tcsi_onnx_integers(onnx, (const int64_t[]){ -1 }, 1));
    tcsi_onnx_output(onnx, &(tcsi_onnx_port){ "score", { TCSI_ONNX_BATCH }, 1, 0 }, score);
    tcsi_onnx_output(onnx, &(tcsi_onnx_port){ "anomaly", { TCSI_ONNX_BATCH }, 1, TCSI_ONNX_BOOL },
                     tcsi_onnx_of_two(onnx, "Greater", score, tcsi_onnx_number(onnx, 0.5f)));
    status = tcsi_onnx_finish(onnx, err);
    tcsi_onnx_destroy(onnx);
    return status;
}

static void test_nodes_before_and_behind(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 4, 3), target = tcsi_nn_input(net, 4, 3);
    tcsi_net_scope(net, "code");
    tcsi_node_id y = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 3, .kernel = 2 }), loss = tcsi_nn_loss_absolute(net, y, target);
    assert_ok(tcsi_net_finish(net, test_err));
    tcsi_buffer out;
    tcs_error err;
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(save_pipeline(net, loss, false, &out, test_err));
    check_model(out.data, out.size);
    assert_true(found.input_count == 1 && found.output_count == 2 && found.note_count == 1);
    assert_true(find_name("code.weight") != SIZE_MAX && find_name("net2/code.weight") != SIZE_MAX);
    assert_true(find_name("scaling/Sub_2") != SIZE_MAX);
    tcsi_buffer_clear(&out);
    assert_int_equal(save_pipeline(net, loss, true, &out, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "input 1 of the net is needed"));
    assert_int_equal(out.size, 0);
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
}

static void test_a_model_that_is_given_up(void **state)
{
    (void)state;
    tcsi_buffer out;
    tcsi_onnx *onnx;
    tcs_error err;
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(tcsi_buffer_puts(&out, "before", test_err));
    assert_ok(tcsi_onnx_create(&out, &onnx, test_err));
    (void)tcsi_onnx_number(onnx, 1);
    tcsi_onnx_destroy(onnx);
    assert_string_equal(out.data, "before");
    assert_ok(tcsi_onnx_create(&out, &onnx, test_err));
    tcsi_onnx_note(onnx, "a", "1");
    tcsi_onnx_note(onnx, "b", "2");
    tcsi_onnx_note(onnx, "a", "3");
    assert_int_equal(tcsi_onnx_finish(onnx, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "a second note 'a'"));
    tcsi_onnx_destroy(onnx);
    tcsi_onnx_destroy(NULL);
    assert_string_equal(out.data, "before");
    tcsi_buffer_deinit(&out);
}

/* ---- files, limits and memory ---- */

static void test_files_and_limits(void **state)
{
    (void)state;
    char path[] = "/tmp/tocsin-onnx-XXXXXX";
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 5, 2), y = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 2, .kernel = 2 });
    tcsi_onnx_options options = { .net = net, .outputs = &y, .output_count = 1 };
    tcs_error err;
    assert_ok(tcsi_net_finish(net, test_err));
    tcsi_buffer out = save(net, &y, 1), small;
    close(mkstemp(path));
    assert_ok(tcsi_onnx_write(&options, path, test_err));
    tcsi_buffer_init(&small, 1 << 20);
    assert_ok(tcsi_file_read(path, &small, test_err));
    assert_true(small.size == out.size && memcmp(small.data, out.data, out.size) == 0);
    tcsi_buffer_deinit(&small);
    unlink(path);
    assert_int_equal(tcsi_onnx_write(&options, "/nonexistent/a.onnx", &err), TCS_E_IO);
    y = 99;
    assert_int_equal(tcsi_onnx_write(&options, "a.onnx", &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "a.onnx: output 0"));
    y = 1;
    for (size_t size_max = 0; size_max <= out.size; size_max++) {
        tcsi_buffer_init(&small, size_max);
        assert_int_equal(tcsi_onnx_save(&options, &small, &err), size_max < out.size ? TCS_E_LIMIT : TCS_OK);
        assert_int_equal(small.size, size_max < out.size ? 0 : out.size);
        tcsi_buffer_deinit(&small);
    }
    tcsi_buffer_deinit(&out);
    tcsi_net_destroy(net);
}

static void test_failing_allocations_of_a_graph(void **state)
{
    (void)state;
    tcsi_net *net = new_net();
    tcsi_node_id x = tcsi_nn_input(net, 4, 3), target = tcsi_nn_input(net, 4, 3);
    tcsi_node_id y = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 3, .kernel = 2 }), loss = tcsi_nn_loss_absolute(net, y, target);
    assert_ok(tcsi_net_finish(net, test_err));
    tcs_status status = TCS_E_MEMORY;
    for (size_t at = 1; status == TCS_E_MEMORY; at++) {
        tcsi_buffer out;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_buffer_init(&out, 1 << 24);
        tcsi_alloc_trace_fail_at(at);
        status = save_pipeline(net, loss, false, &out, &err);
        tcsi_alloc_trace_fail_at(0);
        assert_true(status == TCS_OK || (strlen(err.text) > 5 && out.size == 0));
        tcsi_buffer_deinit(&out);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        assert_true(at < 1000 && (status == TCS_OK || status == TCS_E_MEMORY));
    }
    tcsi_net_destroy(net);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) {
        nn_bench bench;
        tcs_status status = TCS_E_MEMORY;
        assert_ok(nn_bench_init(&bench, &nn_cases[k], 2, test_err));
        for (size_t at = 1; status == TCS_E_MEMORY; at++) {
            tcsi_buffer out;
            tcs_error err = { 0 };
            tcsi_alloc_trace_begin();
            tcsi_buffer_init(&out, 1 << 24);
            tcsi_alloc_trace_fail_at(at);
            status = tcsi_onnx_save(&(tcsi_onnx_options){ .net = bench.net, .outputs = &bench.looked_at, .output_count = 1 }, &out, &err);
            tcsi_alloc_trace_fail_at(0);
            assert_true(status == TCS_OK || (strlen(err.text) > 5 && out.size == 0));
            tcsi_buffer_deinit(&out);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
            assert_true(status == TCS_OK || status == TCS_E_MEMORY || status == TCS_E_UNSUPPORTED);
            assert_true(at < 1000);
        }
        nn_bench_deinit(&bench);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_every_case_is_sound_or_refused), cmocka_unit_test(test_the_bytes_of_a_model),
              cmocka_unit_test(test_rows_of_convolutions_are_swapped_once), cmocka_unit_test(test_nothing_but_what_is_needed),
              cmocka_unit_test(test_tied_weights),
              cmocka_unit_test(test_refusals), cmocka_unit_test(test_nodes_before_and_behind),
              cmocka_unit_test(test_a_model_that_is_given_up), cmocka_unit_test(test_files_and_limits),
              cmocka_unit_test(test_failing_allocations_of_a_graph), cmocka_unit_test(test_failing_allocations))
