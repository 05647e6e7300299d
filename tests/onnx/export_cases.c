/* tests/onnx/export_cases.c -- writes what run.py gives to other programs: usage export_cases FOLDER [back]
 *
 * Each case K is a net or a graph around one: K.onnx, K.safetensors, K.weights (the numbers of the weights in order), and for batches
 * of 1 and 5 rows K.B.input0, ... and K.B.output0, ... (floats, as they stand in memory).  The cases are those of
 * tests/support/nn_cases.h, some that need more than one net to be sure, and a net between scaling and a threshold.  cases.json lists
 * them: name, shapes without the batch, and why one was refused, if it was.
 * The example of docs/how-to/exchange-models.md: model.onnx and model.safetensors.  With back: reads back.safetensors, which that page
 * makes of it, and fails unless it is the same net with every encoder.bias raised by 0.1. */
#include "base/file.h"
#include "base/json.h"
#include "nn/onnx.h"
#include "nn/safetensors.h"
#include "nn_cases.h"

#include <stdio.h>
#include <unistd.h>

enum { ROW_COUNT = 5, OUTPUT_MAX = 256 };
static const size_t batches[] = { 1, ROW_COUNT };

#define REQUIRE(call)                                                                     \
    do {                                                                                  \
        tcs_error err = { 0 };                                                            \
        if ((call) != TCS_OK) {                                                           \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, err.text);                 \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

/* ---- files ---- */

static const char *path_of(size_t k, const char *ending)
{
    static char path[64];
    snprintf(path, sizeof path, "%zu.%s", k, ending);
    return path;
}

static void write_floats(size_t k, size_t batch, const char *what, size_t index, const float *values, size_t count)
{
    char ending[48];
    snprintf(ending, sizeof ending, "%zu.%s%zu", batch, what, index);
    REQUIRE(tcsi_file_write(path_of(k, ending), values, count * sizeof *values, &err));
}

static void list_text(tcsi_json_writer *list, const char *key, const char *text)
{
    tcsi_json_key(list, key);
    tcsi_json_string(list, text);
}

static void list_shape(tcsi_json_writer *list, const char *key, const size_t *dims, size_t dim_count)
{
    tcsi_json_key(list, key);
    tcsi_json_begin_array(list);
    for (size_t i = 0; i < dim_count; i++) tcsi_json_integer(list, (int64_t)dims[i]);
    tcsi_json_end_array(list);
}

static void list_weights(tcsi_json_writer *list, size_t k, const tcsi_net *net)
{
    tcsi_buffer numbers;
    tcsi_buffer_init(&numbers, 1 << 28);
    tcsi_json_key(list, "weights");
    tcsi_json_begin_object(list);
    for (size_t i = 0; i < net->tensor_count; i++) {
        const tcsi_weight *weight = &net->tensors[i];
        list_shape(list, weight->name, weight->dims, weight->dim_count);
        REQUIRE(tcsi_buffer_append(&numbers, tcsi_net_values(net, weight), weight->count * sizeof(float), &err));
    }
    tcsi_json_end_object(list);
    REQUIRE(tcsi_file_write(path_of(k, "weights"), numbers.data, numbers.size, &err));
    REQUIRE(tcsi_safetensors_write(net, NULL, 0, path_of(k, "safetensors"), &err));
    tcsi_buffer_deinit(&numbers);
}

/* ---- a net ---- */

/* Initial values such as 0 and 1 would hide what is mixed up. */
static void stir(tcsi_net *net)
{
    tcsi_rng rng = tcsi_rng_make(3, 9);
    for (size_t i = 0; i < net->tensor_count; i++)
        for (size_t j = 0; j < net->tensors[i].count; j++) {
            float *value = &tcsi_net_values(net, &net->tensors[i])[j];
            double normal = tcsi_rng_normal(&rng);
            *value = net->tensors[i].is_state ? (float)(0.5 + fabs(normal)) : *value + 0.2f * (float)normal;
        }
}

static void write_values(size_t k, const nn_bench *bench, const tcsi_node_id *outputs, size_t output_count, size_t batch)
{
    tcsi_net *net = bench->net;
    tcsi_plan *plan;
    tcsi_run run = bench->run;
    run.batch = batch;
    run.is_training = run.is_stochastic = false;
    tcsi_plan_options options = { .net = net, .batch = batch, .outputs = outputs, .output_count = output_count };
    REQUIRE(tcsi_plan_create(&options, &plan, &err));
    tcsi_plan_forward(plan, NULL, &run);
    for (size_t i = 0; i < bench->input_count; i++) write_floats(k, batch, "input", i, bench->values[i], batch * bench->counts[i]);
    for (size_t i = 0; i < output_count; i++) {
        tcsi_shape shape = tcsi_net_shape(net, outputs[i]);
        write_floats(k, batch, "output", i, tcsi_plan_values(plan, outputs[i]), batch * shape.length * shape.channels);
    }
    tcsi_plan_destroy(plan);
}

/* bench: the net and its inputs, ROW_COUNT rows. */
static void export_net(tcsi_json_writer *list, size_t k, const char *name, const char *operation, const nn_bench *bench,
                       const tcsi_node_id *outputs, size_t output_count)
{
    tcs_error refusal = { 0 };
    tcsi_onnx_options options = { .net = bench->net, .outputs = outputs, .output_count = output_count };
    stir(bench->net);
    for (size_t i = 0; i < TCS_COUNT(batches); i++) write_values(k, bench, outputs, output_count, batches[i]);
    tcs_status status = tcsi_onnx_write(&options, path_of(k, "onnx"), &refusal);
    if (status != TCS_OK && status != TCS_E_UNSUPPORTED) REQUIRE(tcsi_fail(&err, status, "%s", refusal.text));
    tcsi_json_begin_object(list);
    list_text(list, "name", name);
    list_text(list, "operation", operation);
    list_text(list, "refused", status == TCS_OK ? NULL : refusal.text);
    tcsi_json_key(list, "outputs");
    tcsi_json_begin_object(list);
    for (size_t i = 0; i < output_count; i++) {
        char key[32];
        tcsi_shape shape = tcsi_net_shape(bench->net, outputs[i]);
        snprintf(key, sizeof key, "output%zu", i);
        list_shape(list, key, (size_t[]){ shape.length, shape.channels }, 2);
    }
    tcsi_json_end_object(list);
    list_weights(list, k, bench->net);
    tcsi_json_end_object(list);
}

static void export_case(tcsi_json_writer *list, size_t k, const nn_case *one)
{
    nn_bench bench;
    REQUIRE(nn_bench_init(&bench, one, ROW_COUNT, &err));
    export_net(list, k, one->name, one->op, &bench, &bench.looked_at, 1);
    nn_bench_deinit(&bench);
}

/* ---- every geometry of convolutions, each with an output of its own ---- */

typedef tcsi_node_id (*conv_builder)(tcsi_net *net, tcsi_node_id x, const tcsi_conv_options *options);

enum { GEOMETRY_LENGTH = 13, GEOMETRY_CHANNELS = 2 };
static tcsi_node_id looked_at[OUTPUT_MAX]; /* the outputs of the net that was built last */
static size_t looked_at_count;

static tcsi_node_id build_geometries(tcsi_net *net, conv_builder build)
{
    tcsi_node_id x = tcsi_nn_input(net, GEOMETRY_LENGTH, GEOMETRY_CHANNELS);
    looked_at_count = 0;
    for (size_t i = 0; i < 3 * 4 * 2 * 3 * 2; i++) {
        tcsi_conv_options options = { .padding = (tcsi_padding)(i % 3), .kernel = 1 + i / 3 % 4, .dilation = 1 + 2 * (i / 12 % 2),
                                      .stride = 1 + 2 * (i / 24 % 3), .is_depthwise = i / 72, .channels = i / 72 ? 0 : 3,
                                      .activation = (tcsi_activation)(i % TCSI_ACTIVATION_COUNT), .without_bias = i % 7 == 0 };
        looked_at[looked_at_count++] = build(net, x, &options);
    }
    return looked_at[0];
}

static tcsi_node_id build_convs(tcsi_net *net)
{
    return build_geometries(net, tcsi_nn_conv);
}

static tcsi_node_id build_transposed(tcsi_net *net)
{
    return build_geometries(net, tcsi_nn_conv_transposed);
}

/* ---- Student losses from heavy tails to the normal distribution, where floats are at their limits ---- */

static tcsi_node_id build_students(tcsi_net *net)
{
    static const float degrees[] = { 0.2f, 1, 30, 1e3f, 1e6f, 1e9f };
    tcsi_node_id x = tcsi_nn_input(net, 4, 4), target = tcsi_nn_input(net, 4, 2), learned = tcsi_nn_input(net, 4, 6);
    looked_at_count = 0;
    for (size_t i = 0; i < TCS_COUNT(degrees); i++) looked_at[looked_at_count++] = tcsi_nn_loss_student(net, x, target, degrees[i]);
    for (size_t i = 0; i < TCS_COUNT(degrees); i++) {
        tcsi_node_id scaled = tcsi_nn_scale(net, tcsi_nn_slice(net, learned, 4, 2), degrees[i]);
        scaled = tcsi_nn_concat(net, (tcsi_node_id[]){ tcsi_nn_slice(net, learned, 0, 4), scaled }, 2);
        looked_at[looked_at_count++] = tcsi_nn_loss_student(net, scaled, target, 0);
    }
    return looked_at[0];
}

static void export_built(tcsi_json_writer *list, size_t k, const char *name, tcsi_node_id (*build)(tcsi_net *net))
{
    nn_bench bench;
    REQUIRE(nn_bench_init(&bench, &(nn_case){ .name = name, .build = build }, ROW_COUNT, &err));
    export_net(list, k, name, name, &bench, looked_at, looked_at_count);
    nn_bench_deinit(&bench);
}

/* ---- a graph around a net ---- */

/* The mean squared error of a net that should give back its scaled input, and whether it is above a threshold. */
static const float mean[3] = { 0.5f, -1, 0 }, deviation[3] = { 2, 1, 0.25f };
static const float threshold = 3;

static tcsi_net *new_scored(tcsi_node_id *ret_loss)
{
    tcsi_net *net;
    REQUIRE(tcsi_net_create(4, &net, &err));
    tcsi_node_id x = tcsi_nn_input(net, 6, 3), target = tcsi_nn_input(net, 6, 3);
    tcsi_net_scope(net, "encoder");
    tcsi_node_id h = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 4, .kernel = 3, .activation = TCSI_ACTIVATION_RELU });
    tcsi_net_scope(net, "decoder");
    *ret_loss = tcsi_nn_loss_squared(net, tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 3 }), target);
    REQUIRE(tcsi_net_finish(net, &err));
    return net;
}

static void write_graph(size_t k, const tcsi_net *net, tcsi_node_id loss)
{
    tcsi_buffer bytes;
    tcsi_onnx *onnx;
    tcsi_buffer_init(&bytes, 1 << 20);
    REQUIRE(tcsi_onnx_create(&bytes, &onnx, &err));
    tcsi_onnx_note(onnx, "threshold", "3");
    tcsi_onnx_value rows = tcsi_onnx_input(onnx, &(tcsi_onnx_port){ "input0", { TCSI_ONNX_BATCH, 6, 3 }, 3, 0 }), score;
    tcsi_onnx_scope(onnx, "scaling");
    rows = tcsi_onnx_of_two(onnx, "Sub", rows, tcsi_onnx_floats(onnx, mean, (size_t[]){ 3 }, 1));
    rows = tcsi_onnx_of_two(onnx, "Div", rows, tcsi_onnx_floats(onnx, deviation, (size_t[]){ 3 }, 1));
    tcsi_onnx_net(onnx, net, (tcsi_onnx_value[]){ rows, rows }, &loss, 1, &score);
    tcsi_onnx_scope(onnx, "decision");
    score = tcsi_onnx_of_two(onnx, "Reshape", score, tcsi_onnx_integers(onnx, (const int64_t[]){ -1 }, 1));
    tcsi_onnx_output(onnx, &(tcsi_onnx_port){ "score", { TCSI_ONNX_BATCH }, 1, 0 }, score);
    tcsi_onnx_output(onnx, &(tcsi_onnx_port){ "anomaly", { TCSI_ONNX_BATCH }, 1, TCSI_ONNX_BOOL },
                     tcsi_onnx_of_two(onnx, "Greater", score, tcsi_onnx_number(onnx, threshold)));
    REQUIRE(tcsi_onnx_finish(onnx, &err));
    tcsi_onnx_destroy(onnx);
    REQUIRE(tcsi_file_write(path_of(k, "onnx"), bytes.data, bytes.size, &err));
    tcsi_buffer_deinit(&bytes);
}

static void write_scores(size_t k, tcsi_net *net, tcsi_node_id loss, size_t batch)
{
    float rows[ROW_COUNT * 18], scaled[ROW_COUNT * 18], anomalies[ROW_COUNT];
    tcsi_plan *plan;
    nn_fill_values(NN_FILL_NORMAL, 8, TCS_COUNT(rows), rows);
    for (size_t i = 0; i < TCS_COUNT(rows); i++) scaled[i] = (rows[i] - mean[i % 3]) / deviation[i % 3];
    REQUIRE(tcsi_plan_create(&(tcsi_plan_options){ .net = net, .batch = batch, .outputs = &loss, .output_count = 1 }, &plan, &err));
    tcsi_plan_forward(plan, NULL, &(tcsi_run){ .inputs = { scaled, scaled }, .batch = batch });
    const float *scores = tcsi_plan_values(plan, loss);
    for (size_t i = 0; i < batch; i++) anomalies[i] = scores[i] > threshold;
    write_floats(k, batch, "input", 0, rows, batch * 18);
    write_floats(k, batch, "output", 0, scores, batch);
    write_floats(k, batch, "output", 1, anomalies, batch);
    tcsi_plan_destroy(plan);
}

static void export_graph(tcsi_json_writer *list, size_t k)
{
    tcsi_node_id loss;
    tcsi_net *net = new_scored(&loss);
    write_graph(k, net, loss);
    for (size_t i = 0; i < TCS_COUNT(batches); i++) write_scores(k, net, loss, batches[i]);
    tcsi_json_begin_object(list);
    list_text(list, "name", "a net between scaling and threshold");
    list_text(list, "operation", "conv");
    list_text(list, "refused", NULL);
    tcsi_json_key(list, "outputs");
    tcsi_json_begin_object(list);
    list_shape(list, "score", NULL, 0);
    list_shape(list, "anomaly", NULL, 0);
    tcsi_json_end_object(list);
    list_weights(list, k, net);
    tcsi_json_end_object(list);
    tcsi_net_destroy(net);
}

static void export_cases(void)
{
    tcsi_buffer text;
    tcsi_json_writer list;
    size_t k = 0;
    tcsi_buffer_init(&text, 1 << 24);
    tcsi_json_writer_init(&list, &text, true);
    tcsi_json_begin_array(&list);
    for (; k < TCS_COUNT(nn_cases); k++) export_case(&list, k, &nn_cases[k]);
    export_built(&list, k++, "every geometry of a convolution", build_convs);
    export_built(&list, k++, "every geometry of a transposed convolution", build_transposed);
    export_built(&list, k++, "Student losses of all degrees", build_students);
    export_graph(&list, k++);
    tcsi_json_end_array(&list);
    REQUIRE(tcsi_json_finish(&list, &err));
    REQUIRE(tcsi_file_write("cases.json", text.data, text.size, &err));
    tcsi_buffer_deinit(&text);
}

/* ---- the how-to's example ---- */

static tcsi_net *new_example(tcsi_node_id *ret_output)
{
    tcsi_net *net;
    REQUIRE(tcsi_net_create(4, &net, &err));
    tcsi_node_id x = tcsi_nn_input(net, 6, 2);
    tcsi_net_scope(net, "encoder");
    tcsi_node_id h = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 4, .kernel = 3, .activation = TCSI_ACTIVATION_RELU });
    tcsi_net_scope(net, "decoder");
    *ret_output = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 2 });
    REQUIRE(tcsi_net_finish(net, &err));
    return net;
}

static tcs_status give_away(const tcsi_net *net, tcsi_node_id output, tcs_error *err)
{
    const tcsi_safetensors_note notes[] = { { "data", "plant.csv" } };
    const tcsi_onnx_options model = { .net = net, .outputs = &output, .output_count = 1 };
    tcs_status status = tcsi_safetensors_write(net, notes, 1, "model.safetensors", err);
    if (status == TCS_OK) status = tcsi_onnx_write(&model, "model.onnx", err);
    return status;
}

static void write_example(void)
{
    tcsi_node_id output;
    tcsi_net *net = new_example(&output);
    REQUIRE(give_away(net, output, &err));
    tcsi_net_destroy(net);
}

static int read_example(void)
{
    tcsi_node_id output;
    tcsi_net *net = new_example(&output), *back = new_example(&output);
    bool is_same = true;
    REQUIRE(tcsi_safetensors_read(back, "back.safetensors", &err));
    for (size_t i = 0; i < net->tensor_count; i++) {
        const tcsi_weight *weight = &net->tensors[i];
        const float *before = tcsi_net_values(net, weight), *after = tcsi_net_values(back, weight);
        float raise = strcmp(weight->name, "encoder.bias") == 0 ? 0.1f : 0;
        for (size_t k = 0; k < weight->count; k++) is_same &= after[k] == before[k] + raise;
    }
    tcsi_net_destroy(net);
    tcsi_net_destroy(back);
    return is_same ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool reads_back = argc == 3 && strcmp(argv[2], "back") == 0;
    if ((argc != 2 && !reads_back) || chdir(argv[1]) != 0) {
        fprintf(stderr, "usage: %s FOLDER [back]\n", argv[0]);
        return 2;
    }
    if (reads_back) return read_example();
    export_cases();
    write_example();
    return 0;
}
