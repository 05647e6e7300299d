/* tests/onnx/export_cases.c -- writes what run.py gives to other programs: usage export_cases FOLDER [back]
 *
 * Of every case of tests/support/nn_cases.h: K.onnx, K.safetensors, K.weights (the numbers of the weights in order), and for batches of
 * 1 and 5 rows K.B.input0, ... and K.B.output0 (floats, as they stand in memory); and last a graph with nodes before and behind a net.
 * cases.json lists them: name, shapes without the batch, and why a case was refused, if it was.
 * The example of docs/how-to/exchange-models.md: model.onnx and model.safetensors.  With back: reads back.safetensors, which that page
 * makes of it, and fails unless it is the same net with every encoder.bias raised by 0.1. */
#include "base/file.h"
#include "base/json.h"
#include "nn/onnx.h"
#include "nn/safetensors.h"
#include "nn_cases.h"

#include <math.h>
#include <stdio.h>

enum { ROW_COUNT = 5 };
static const size_t batches[] = { 1, ROW_COUNT };

static const char *folder;

#define REQUIRE(call)                                                                     \
    do {                                                                                  \
        tcs_error err = { 0 };                                                            \
        if ((call) != TCS_OK) {                                                           \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, err.text);                 \
            exit(1);                                                                      \
        }                                                                                 \
    } while (0)

static const char *path_of(size_t k, const char *ending)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%zu.%s", folder, k, ending);
    return path;
}

static void write_floats(size_t k, size_t batch, const char *what, size_t index, const float *values, size_t count)
{
    char ending[64];
    snprintf(ending, sizeof ending, "%zu.%s%zu", batch, what, index);
    REQUIRE(tcsi_file_write(path_of(k, ending), values, count * sizeof *values, &err));
}

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

static void list_shape(tcsi_json_writer *list, const size_t *dims, size_t dim_count)
{
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
        tcsi_json_key(list, weight->name);
        list_shape(list, weight->dims, weight->dim_count);
        REQUIRE(tcsi_buffer_append(&numbers, tcsi_net_values(net, weight), weight->count * sizeof(float), &err));
    }
    tcsi_json_end_object(list);
    REQUIRE(tcsi_file_write(path_of(k, "weights"), numbers.data, numbers.size, &err));
    tcsi_buffer_deinit(&numbers);
}

/* ---- one case ---- */

static void write_values(size_t k, const nn_bench *bench, size_t batch, size_t *ret_shape)
{
    tcsi_plan *plan;
    tcsi_shape shape = tcsi_net_shape(bench->net, bench->looked_at);
    tcsi_run run = bench->run;
    run.batch = batch;
    run.is_training = run.is_stochastic = false;
    tcsi_plan_options options = { .net = bench->net, .batch = batch, .outputs = &bench->looked_at, .output_count = 1 };
    REQUIRE(tcsi_plan_create(&options, &plan, &err));
    tcsi_plan_forward(plan, NULL, &run);
    for (size_t i = 0; i < bench->input_count; i++) write_floats(k, batch, "input", i, bench->values[i], batch * bench->counts[i]);
    write_floats(k, batch, "output", 0, tcsi_plan_values(plan, bench->looked_at), batch * shape.length * shape.channels);
    tcsi_plan_destroy(plan);
    ret_shape[0] = shape.length;
    ret_shape[1] = shape.channels;
}

static void export_case(tcsi_json_writer *list, size_t k, const nn_case *one)
{
    nn_bench bench;
    tcs_error refusal = { 0 };
    size_t shape[2];
    REQUIRE(nn_bench_init(&bench, one, ROW_COUNT, &err));
    stir(bench.net);
    for (size_t i = 0; i < TCS_COUNT(batches); i++) write_values(k, &bench, batches[i], shape);
    REQUIRE(tcsi_safetensors_write(bench.net, &(tcsi_safetensors_note){ "case", one->name }, 1, path_of(k, "safetensors"), &err));
    tcs_status status = tcsi_onnx_write(&(tcsi_onnx_options){ .net = bench.net, .outputs = &bench.looked_at, .output_count = 1 },
                                        path_of(k, "onnx"), &refusal);
    if (status != TCS_OK && status != TCS_E_UNSUPPORTED) REQUIRE(tcsi_fail(&err, status, "%s", refusal.text));
    tcsi_json_begin_object(list);
    tcsi_json_key(list, "name");
    tcsi_json_string(list, one->name);
    tcsi_json_key(list, "operation");
    tcsi_json_string(list, one->op);
    tcsi_json_key(list, "refused");
    tcsi_json_string(list, status == TCS_OK ? NULL : refusal.text);
    tcsi_json_key(list, "outputs");
    tcsi_json_begin_object(list);
    tcsi_json_key(list, "output0");
    list_shape(list, shape, 2);
    tcsi_json_end_object(list);
    list_weights(list, k, bench.net);
    tcsi_json_end_object(list);
    nn_bench_deinit(&bench);
}

/* ---- a graph around a net ---- */

/* The mean squared error of a net that should give back its scaled input, and whether it is above 0.5. */
static tcsi_net *new_net(tcsi_node_id *ret_loss)
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

static const float mean[3] = { 0.5f, -1, 0 }, deviation[3] = { 2, 1, 0.25f };
static const float threshold = 3;

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
    tcsi_net *net = new_net(&loss);
    write_graph(k, net, loss);
    for (size_t i = 0; i < TCS_COUNT(batches); i++) write_scores(k, net, loss, batches[i]);
    REQUIRE(tcsi_safetensors_write(net, NULL, 0, path_of(k, "safetensors"), &err));
    tcsi_json_begin_object(list);
    tcsi_json_key(list, "name");
    tcsi_json_string(list, "a net between scaling and threshold");
    tcsi_json_key(list, "refused");
    tcsi_json_null(list);
    tcsi_json_key(list, "outputs");
    tcsi_json_begin_object(list);
    tcsi_json_key(list, "score");
    list_shape(list, NULL, 0);
    tcsi_json_key(list, "anomaly");
    list_shape(list, NULL, 0);
    tcsi_json_end_object(list);
    list_weights(list, k, net);
    tcsi_json_end_object(list);
    tcsi_net_destroy(net);
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

static void write_example(void)
{
    char path[4096];
    tcsi_node_id output;
    tcsi_net *net = new_example(&output);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    REQUIRE(tcsi_safetensors_write(net, &(tcsi_safetensors_note){ "data", "plant.csv" }, 1, path, &err));
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    REQUIRE(tcsi_onnx_write(&(tcsi_onnx_options){ .net = net, .outputs = &output, .output_count = 1 }, path, &err));
    tcsi_net_destroy(net);
}

static int read_example(void)
{
    char path[4096];
    tcsi_node_id output;
    tcsi_net *net = new_example(&output), *back = new_example(&output);
    bool is_same = true;
    snprintf(path, sizeof path, "%s/back.safetensors", folder);
    REQUIRE(tcsi_safetensors_read(back, path, &err));
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

static void write_cases(void)
{
    tcsi_buffer text;
    tcsi_json_writer list;
    char path[4096];
    tcsi_buffer_init(&text, 1 << 24);
    tcsi_json_writer_init(&list, &text, true);
    tcsi_json_begin_array(&list);
    for (size_t k = 0; k < TCS_COUNT(nn_cases); k++) export_case(&list, k, &nn_cases[k]);
    export_graph(&list, TCS_COUNT(nn_cases));
    tcsi_json_end_array(&list);
    REQUIRE(tcsi_json_finish(&list, &err));
    snprintf(path, sizeof path, "%s/cases.json", folder);
    REQUIRE(tcsi_file_write(path, text.data, text.size, &err));
    tcsi_buffer_deinit(&text);
}

int main(int argc, char **argv)
{
    bool reads_back = argc == 3 && strcmp(argv[2], "back") == 0;
    if (argc != 2 && !reads_back) {
        fprintf(stderr, "usage: %s FOLDER [back]\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    if (reads_back) return read_example();
    write_cases();
    write_example();
    return 0;
}
