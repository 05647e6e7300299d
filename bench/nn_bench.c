/* bench/nn_bench.c -- how fast do small networks train and score, beside PyTorch?
 *
 * usage: nn_bench [OUTPUT.json [MODEL...]]      prints a table and writes the same as JSON; without PyTorch ours alone
 * TOCSIN_BENCH_PYTHON names a Python that has PyTorch.  Five models, each with the same weights and rows on both sides:
 *   autoencoder  dense 64-32-8-32-64                        lstm         hidden 64, window 64, 8 features, forecasts the next row
 *   tcn          4 blocks of 2 causal convolutions of 3, 32 channels, dilations 1 2 4 8, window 64, 8 features
 *   transformer  2 encoder layers, width 64, 4 heads, feed-forward 128, norm first, window 64, 8 features
 *   encoder      patch encoder, convolutions 128-256-128-64 with kernels 7 5 3 3, mean over a window of 64
 * First both sides must agree: outputs to 1e-4, and the losses of ten AdamW steps to 1e-3, or the program fails.  Then they take turns,
 * round after round: training steps (forward, backward, AdamW) with 64 and 256 rows, scoring 1 and 256 rows, on one thread
 * (processor time) and, for large models, on two (elapsed time; PyTorch waits passively).  Figures are medians over rounds, ratios are
 * medians of the rounds' ratios.  Streaming steps are ours alone: PyTorch has none.  A slow figure fails nothing.
 * Where the processor has AVX512_BF16, the same in bfloat16 beside our own single precision, PyTorch's, and PyTorch's autocast to bfloat16;
 * and what it changes: outputs with the same weights, and the loss after the same steps of training.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "nn/layers.h"
#include "nn/stream.h"
#include "nn/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUND_COUNT = 7, ROWS_MAX = 256, CHECK_STEPS = 10, LEARN_STEPS = 200, LEARN_ROWS = 64, WINDOW = 64, FEATURES = 8, PATH_SIZE = 128 };

typedef struct model {
    const char *name;
    tcsi_node_id (*build)(tcsi_net *net, tcsi_node_id x);
    tcsi_shape in;
    double train_target, score_target, stream_target_us; /* ratios wanted at 64 rows of training and 1 of scoring */
    bool on_two_threads;
} model;

/* ---- the models ---- */

static tcsi_node_id dense(tcsi_net *net, tcsi_node_id x, size_t units, tcsi_activation activation)
{
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = units, .activation = activation });
}

static tcsi_node_id build_autoencoder(tcsi_net *net, tcsi_node_id x)
{
    static const size_t units[] = { 32, 8, 32, 64 };
    for (size_t i = 0; i < TCS_COUNT(units); i++) x = dense(net, x, units[i], i + 1 < TCS_COUNT(units) ? TCSI_ACTIVATION_RELU : TCSI_ACTIVATION_NONE);
    return x;
}

static tcsi_node_id build_lstm(tcsi_net *net, tcsi_node_id x)
{
    return dense(net, tcsi_nn_last(net, tcsi_nn_lstm(net, x, 64)), FEATURES, TCSI_ACTIVATION_NONE);
}

static tcsi_node_id build_tcn(tcsi_net *net, tcsi_node_id x)
{
    tcsi_node_id h = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 32, .kernel = 1 });
    for (size_t dilation = 1; dilation <= 8; dilation *= 2) {
        tcsi_conv_options options = { .channels = 32, .kernel = 3, .dilation = dilation, .activation = TCSI_ACTIVATION_RELU };
        h = tcsi_nn_conv_residual(net, tcsi_nn_conv(net, h, &options), h, &options);
    }
    return tcsi_nn_conv(net, h, &(tcsi_conv_options){ .channels = FEATURES, .kernel = 1 });
}

static tcsi_node_id build_transformer(tcsi_net *net, tcsi_node_id x)
{
    tcsi_node_id h = dense(net, x, 64, TCSI_ACTIVATION_NONE);
    const tcsi_transformer_options options = { .head_count = 4, .hidden = 128, .norm_first = true };
    for (size_t layer = 0; layer < 2; layer++) h = tcsi_nn_transformer(net, h, &options, NULL);
    return dense(net, h, FEATURES, TCSI_ACTIVATION_NONE);
}

static tcsi_node_id build_encoder(tcsi_net *net, tcsi_node_id x)
{
    static const size_t channels[] = { 128, 256, 128, 64 }, kernels[] = { 7, 5, 3, 3 };
    for (size_t i = 0; i < TCS_COUNT(channels); i++)
        x = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = channels[i], .kernel = kernels[i], .padding = TCSI_PADDING_SAME,
                                                       .activation = TCSI_ACTIVATION_RELU });
    return tcsi_nn_global_mean(net, x);
}

static const model models[] = {
    { "autoencoder", build_autoencoder, { 1, 64 }, 20, 100, 0, false },
    { "lstm", build_lstm, { WINDOW, FEATURES }, 3, 20, 3, false },
    { "tcn", build_tcn, { WINDOW, FEATURES }, 2.5, 15, 3, true },
    { "transformer", build_transformer, { WINDOW, FEATURES }, 2.5, 10, 0, true },
    { "encoder", build_encoder, { WINDOW, 1 }, 1.5, 5, 0, true },
};

/* ---- the peer ---- */

typedef struct peer {
    FILE *ask, *answer;
    pid_t process;
    char folder[PATH_SIZE], name[64];
} peer;

static bool peer_begin(peer *p)
{
    const char *python = getenv("TOCSIN_BENCH_PYTHON");
    int to[2], from[2];
    *p = (peer){ 0 };
    snprintf(p->folder, sizeof p->folder, "/tmp/nn_bench_XXXXXX");
    if (!mkdtemp(p->folder)) return false;
    if (!python || !*python || pipe(to) != 0 || pipe(from) != 0) return false;
    p->process = fork();
    if (p->process == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execl(python, python, NN_PEER, p->folder, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    p->ask = fdopen(to[1], "w");
    p->answer = fdopen(from[0], "r");
    if (!p->ask || !p->answer || !fgets(p->name, sizeof p->name, p->answer)) return false;
    p->name[strcspn(p->name, "\n")] = 0;
    return true;
}

static void peer_end(peer *p)
{
    static const char *const files[] = { "weights", "x", "target", "output" };
    char path[PATH_SIZE + 32];
    if (p->ask) fclose(p->ask);
    if (p->answer) fclose(p->answer);
    if (p->process > 0) waitpid(p->process, NULL, 0);
    for (size_t i = 0; i < TCS_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s.bin", p->folder, files[i]);
        unlink(path);
    }
    rmdir(p->folder);
}

static bool ask(peer *p, char *ret_line, size_t size, const char *word, const char *text, size_t number)
{
    if (!p->ask) return false;
    if (text) fprintf(p->ask, "%s %s\n", word, text);
    else fprintf(p->ask, "%s %zu\n", word, number);
    fflush(p->ask);
    return fgets(ret_line, (int)size, p->answer) != NULL;
}

static bool give(const peer *p, const char *name, const float *values, size_t count)
{
    char path[PATH_SIZE + 32];
    tcs_error err;
    snprintf(path, sizeof path, "%s/%s.bin", p->folder, name);
    return tcsi_file_write(path, values, count * sizeof *values, &err) == TCS_OK;
}

/* ---- both sides of one model ---- */

enum { SINGLE, ROUNDED };

typedef struct side {
    const model *model;
    tcsi_net *net;
    tcsi_node_id y, loss;
    tcsi_plan *train[2], *score[2]; /* in single precision and in bfloat16 */
    tcsi_trainer *trainer;
    tcsi_pool *pool;
    float *x, *target;
    size_t in_count, out_count; /* floats a row */
} side;

static void side_plans_destroy(side *s)
{
    for (size_t i = 0; i < TCS_COUNT(s->train); i++) {
        tcsi_plan_destroy(s->train[i]);
        tcsi_plan_destroy(s->score[i]);
        s->train[i] = s->score[i] = NULL;
    }
}

static tcs_status side_plans(side *s, size_t rows, tcs_error *err)
{
    static const tcsi_precision precisions[] = { TCSI_PRECISION_SINGLE, TCSI_PRECISION_BFLOAT16 };
    tcs_status status = TCS_OK;
    side_plans_destroy(s);
    for (size_t i = 0; i < TCS_COUNT(precisions) && status == TCS_OK; i++) {
        const tcsi_plan_options train = { .net = s->net, .batch = rows, .has_loss = true, .loss = s->loss, .precision = precisions[i] };
        const tcsi_plan_options score = { .net = s->net, .batch = rows, .outputs = &s->y, .output_count = 1, .precision = precisions[i] };
        status = tcsi_plan_create(&train, &s->train[i], err);
        if (status == TCS_OK) status = tcsi_plan_create(&score, &s->score[i], err);
    }
    return status;
}

static tcs_status side_start(side *s, tcs_error *err)
{
    tcsi_net_start(s->net);
    tcsi_trainer_destroy(s->trainer);
    s->trainer = NULL;
    return tcsi_trainer_create(s->net, &(tcsi_train_options){ .rate = 1e-3 }, &s->trainer, err);
}

static tcs_status side_init(side *s, const model *m, tcs_error *err)
{
    *s = (side){ .model = m };
    tcs_status status = tcsi_net_create(1, &s->net, err);
    if (status != TCS_OK) return status;
    tcsi_node_id x = tcsi_nn_input(s->net, m->in.length, m->in.channels);
    s->y = m->build(s->net, x);
    if (s->net->status == TCS_OK) {
        tcsi_shape out = tcsi_net_shape(s->net, s->y);
        s->in_count = m->in.length * m->in.channels;
        s->out_count = out.length * out.channels;
        s->loss = tcsi_nn_loss_squared(s->net, s->y, tcsi_nn_input(s->net, out.length, out.channels));
    }
    status = tcsi_net_finish(s->net, err);
    s->x = TCSI_NEW_ARRAY(float, ROWS_MAX * s->in_count + 1);
    s->target = TCSI_NEW_ARRAY(float, ROWS_MAX * s->out_count + 1);
    if (status != TCS_OK) return status;
    if (!s->x || !s->target) return tcsi_fail_memory(err, "rows");
    tcsi_rng rng = tcsi_rng_make(2, 0);
    for (size_t i = 0; i < ROWS_MAX * s->in_count; i++) s->x[i] = (float)tcsi_rng_normal(&rng);
    for (size_t i = 0; i < ROWS_MAX * s->out_count; i++) s->target[i] = (float)tcsi_rng_normal(&rng);
    return side_start(s, err);
}

static void side_deinit(side *s)
{
    side_plans_destroy(s);
    tcsi_trainer_destroy(s->trainer);
    tcsi_net_destroy(s->net);
    tcsi_free(s->x);
    tcsi_free(s->target);
}

static tcsi_run run_of(const side *s, size_t rows, bool is_training)
{
    return (tcsi_run){ .inputs = { s->x, s->target }, .batch = rows, .is_training = is_training };
}

/* The weights as the peer reads them: tensor after tensor, without padding. */
static bool give_weights(const side *s, const peer *p)
{
    size_t count = tcsi_net_trained_count(s->net), at = 0;
    float *values = TCSI_NEW_ARRAY(float, count);
    for (size_t i = 0; i < s->net->tensor_count && values; i++) {
        memcpy(values + at, tcsi_net_values(s->net, &s->net->tensors[i]), s->net->tensors[i].count * sizeof *values);
        at += s->net->tensors[i].count;
    }
    bool given = values && give(p, "weights", values, count);
    tcsi_free(values);
    return given;
}

/* ---- do both sides agree? ---- */

static tcs_status check_outputs(const side *s, const peer *p, size_t rows, tcs_error *err)
{
    char path[PATH_SIZE + 32];
    tcsi_buffer file;
    snprintf(path, sizeof path, "%s/output.bin", p->folder);
    tcsi_buffer_init(&file, (size_t)1 << 28);
    tcs_status status = tcsi_file_read(path, &file, err);
    const float *mine = tcsi_plan_values(s->score[SINGLE], s->y), *theirs = (const float *)(const void *)file.data;
    double worst = 0;
    if (status == TCS_OK && file.size != rows * s->out_count * sizeof(float)) status = tcsi_fail(err, TCS_E_FORMAT, "%s: the peer's output has another size", s->model->name);
    for (size_t i = 0; status == TCS_OK && i < rows * s->out_count; i++) worst = fmax(worst, fabs((double)mine[i] - (double)theirs[i]));
    if (status == TCS_OK && !(worst <= 1e-4)) status = tcsi_fail(err, TCS_E_INVALID, "%s: outputs differ by %g", s->model->name, worst);
    tcsi_buffer_deinit(&file);
    return status;
}

static tcs_status check_sides(side *s, peer *p, size_t rows, tcs_error *err)
{
    char line[512];
    tcs_status status = side_plans(s, rows, err);
    if (status != TCS_OK) return status;
    if (!give_weights(s, p) || !give(p, "x", s->x, ROWS_MAX * s->in_count) ||
        !give(p, "target", s->target, ROWS_MAX * s->out_count) ||
        !ask(p, line, sizeof line, "model", s->model->name, 0) || !ask(p, line, sizeof line, "rows", NULL, rows) ||
        !ask(p, line, sizeof line, "check", "", 0))
        return tcsi_fail(err, TCS_E_IO, "%s: the peer does not answer", s->model->name);
    tcsi_run run = run_of(s, rows, false);
    tcsi_plan_forward(s->score[SINGLE], NULL, &run);
    status = check_outputs(s, p, rows, err);
    char *at = line;
    run.is_training = true;
    for (size_t i = 0; i < CHECK_STEPS && status == TCS_OK; i++) {
        double theirs = strtod(at, &at), mine = tcsi_trainer_step(s->trainer, s->train[SINGLE], NULL, &run);
        if (!(fabs(mine - theirs) <= 1e-3 * fabs(theirs)))
            status = tcsi_fail(err, TCS_E_INVALID, "%s: the loss of training step %zu is %g, the peer's %g", s->model->name, i, mine, theirs);
    }
    return status == TCS_OK ? side_start(s, err) : status;
}

/* ---- time ---- */

static double now_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

typedef struct bench_row {
    const char *what; /* "train", "score" */
    size_t rows, threads;
} bench_row;

static const bench_row bench_rows[] = { { "train", 64, 1 }, { "train", 256, 1 }, { "score", 1, 1 }, { "score", 256, 1 }, { "train", 64, 2 }, { "score", 256, 2 } };

static double run_ours(side *s, const bench_row *row, size_t precision, size_t count)
{
    tcsi_run run = run_of(s, row->rows, strcmp(row->what, "train") == 0);
    tcsi_pool *pool = row->threads > 1 ? s->pool : NULL;
    clockid_t clock = row->threads > 1 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
    double begin = now_us(clock);
    for (size_t i = 0; i < count; i++) {
        if (run.is_training) (void)tcsi_trainer_step(s->trainer, s->train[precision], pool, &run);
        else tcsi_plan_forward(s->score[precision], pool, &run);
    }
    return (now_us(clock) - begin) / (double)count;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values)
{
    double sorted[ROUND_COUNT];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, ROUND_COUNT, sizeof *sorted, ascending);
    return sorted[ROUND_COUNT / 2];
}

typedef struct figures {
    double ours, peer, ratio; /* microseconds; NAN: no peer */
} figures;

/* How often to repeat so that a round takes some 50 ms, but a warm-up is over. */
static size_t repeats(double us)
{
    double wanted = 50e3 / fmax(us, 0.1);
    return wanted < 1 ? 1 : wanted > 20000 ? 20000 : (size_t)wanted;
}

static tcs_status time_row(side *s, peer *p, const bench_row *row, figures *ret_figures, tcs_error *err)
{
    double ours[ROUND_COUNT], theirs[ROUND_COUNT], ratios[ROUND_COUNT];
    char line[256];
    tcs_status status = side_plans(s, row->rows, err);
    if (status != TCS_OK) return status;
    bool has_peer = ask(p, line, sizeof line, "threads", NULL, row->threads) && ask(p, line, sizeof line, "rows", NULL, row->rows);
    size_t count = repeats(run_ours(s, row, SINGLE, 3)), peer_count = 1;
    double cpu, elapsed;
    if (has_peer && ask(p, line, sizeof line, row->what, NULL, 3) && sscanf(line, "%lf %lf", &cpu, &elapsed) == 2) peer_count = repeats(elapsed * 1e6);
    for (size_t i = 0; i < ROUND_COUNT; i++) {
        ours[i] = run_ours(s, row, SINGLE, count);
        theirs[i] = NAN;
        if (has_peer && ask(p, line, sizeof line, row->what, NULL, peer_count) && sscanf(line, "%lf %lf", &cpu, &elapsed) == 2)
            theirs[i] = (row->threads > 1 ? elapsed : cpu) * 1e6;
        ratios[i] = theirs[i] / ours[i];
    }
    *ret_figures = (figures){ median(ours), has_peer ? median(theirs) : NAN, has_peer ? median(ratios) : NAN };
    return TCS_OK;
}

/* ---- the table ---- */

static void write_row(tcsi_json_writer *writer, const char *name, figures f, const char *peer_name, double target, bool ok)
{
    printf("%-34s %11.2f us", name, f.ours);
    if (!isnan(f.peer)) printf(" %11.2f us %8.2f x", f.peer, f.ratio);
    if (!isnan(target)) printf("   target %g%s", target, ok ? "" : "  MISSED");
    printf("\n");
    fflush(stdout);
    figure_write(writer, &(figure){ .name = name, .unit = "us", .ours = f.ours, .peer = f.peer, .peer_name = peer_name, .ratio = f.ratio,
                                    .target = target, .ok = ok });
}

/* ---- bfloat16 ---- */

static const bench_row rounded_rows[] = { { "train", 64, 1 }, { "score", 1, 1 }, { "score", 256, 1 } };

/* Who takes turns. */
enum { OURS_ROUNDED, OURS_SINGLE, PEER_SINGLE, PEER_ROUNDED, TURN_COUNT };
static const char *const turn_precisions[TURN_COUNT] = { "bfloat16", "single", "single", "bfloat16" };

/* Microseconds; NAN: no answer.  The peer's clock is the processor's as well. */
static double run_turn(side *s, peer *p, const bench_row *row, size_t turn, size_t count)
{
    char line[256];
    double cpu, elapsed;
    if (turn <= OURS_SINGLE) return run_ours(s, row, turn == OURS_ROUNDED ? ROUNDED : SINGLE, count);
    if (!ask(p, line, sizeof line, "precision", turn_precisions[turn], 0) || !ask(p, line, sizeof line, row->what, NULL, count)) return NAN;
    return sscanf(line, "%lf %lf", &cpu, &elapsed) == 2 ? cpu * 1e6 : NAN;
}

static tcs_status time_rounded(side *s, peer *p, const bench_row *row, tcsi_json_writer *writer, tcs_error *err)
{
    double times[TURN_COUNT][ROUND_COUNT], ratios[ROUND_COUNT];
    size_t counts[TURN_COUNT];
    char line[256], name[192], against[96];
    tcs_status status = side_plans(s, row->rows, err);
    if (status != TCS_OK) return status;
    (void)(ask(p, line, sizeof line, "threads", NULL, row->threads) && ask(p, line, sizeof line, "rows", NULL, row->rows));
    for (size_t k = 0; k < TURN_COUNT; k++) counts[k] = repeats(run_turn(s, p, row, k, 3));
    for (size_t i = 0; i < ROUND_COUNT; i++)
        for (size_t k = 0; k < TURN_COUNT; k++) times[k][i] = run_turn(s, p, row, k, counts[k]);
    for (size_t k = OURS_SINGLE; k < TURN_COUNT; k++) {
        if (isnan(times[k][0])) continue;
        for (size_t i = 0; i < ROUND_COUNT; i++) ratios[i] = times[k][i] / times[OURS_ROUNDED][i];
        snprintf(against, sizeof against, "%s, %s", k == OURS_SINGLE ? "ours" : p->name, turn_precisions[k]);
        snprintf(name, sizeof name, "%s, %s %zu row%s, bfloat16 beside %s", s->model->name, row->what, row->rows, row->rows > 1 ? "s" : "",
                 against);
        write_row(writer, name, (figures){ median(times[OURS_ROUNDED]), median(times[k]), median(ratios) }, against, NAN, true);
    }
    (void)ask(p, line, sizeof line, "precision", "single", 0);
    return TCS_OK;
}

/* How far outputs are from those in single precision, and the loss after LEARN_STEPS from the same weights. */
static tcs_status compare_rounded(side *s, tcsi_json_writer *writer, tcs_error *err)
{
    double losses[2] = { 0 }, square = 0, off = 0, largest = 0, worst = 0;
    tcsi_run run = run_of(s, LEARN_ROWS, false);
    tcs_status status = side_plans(s, LEARN_ROWS, err);
    for (size_t k = SINGLE; k <= ROUNDED && status == TCS_OK; k++) {
        status = side_start(s, err);
        tcsi_plan_forward(s->score[k], NULL, &run);
        run.is_training = true;
        for (size_t i = 0; i < LEARN_STEPS && status == TCS_OK; i++)
            losses[k] = tcsi_trainer_step(s->trainer, s->train[k], NULL, &run);
        run.is_training = false;
    }
    if (status != TCS_OK) return status;
    const float *single = tcsi_plan_values(s->score[SINGLE], s->y), *rounded = tcsi_plan_values(s->score[ROUNDED], s->y);
    for (size_t i = 0; i < LEARN_ROWS * s->out_count; i++) {
        const double difference = (double)rounded[i] - (double)single[i];
        square += (double)single[i] * (double)single[i];
        off += difference * difference;
        largest = fmax(largest, fabs((double)single[i]));
        worst = fmax(worst, fabs(difference));
    }
    printf("%s in bfloat16: outputs off by %.2g rms of their rms, %.2g at most of their largest; loss after %d steps %.6g, single %.6g\n",
           s->model->name, sqrt(off / square), worst / largest, LEARN_STEPS, losses[ROUNDED], losses[SINGLE]);
    tcsi_json_begin_object(writer);
    tcsi_json_key(writer, "name");
    tcsi_json_string(writer, s->model->name);
    tcsi_json_key(writer, "bfloat16_rms");
    tcsi_json_number(writer, sqrt(off / square));
    tcsi_json_key(writer, "bfloat16_most");
    tcsi_json_number(writer, worst / largest);
    tcsi_json_key(writer, "bfloat16_loss");
    tcsi_json_number(writer, losses[ROUNDED]);
    tcsi_json_key(writer, "single_loss");
    tcsi_json_number(writer, losses[SINGLE]);
    tcsi_json_end_object(writer);
    return side_start(s, err);
}

static tcs_status run_rounded(side *s, peer *p, tcsi_json_writer *writer, tcs_error *err)
{
    tcs_status status = compare_rounded(s, writer, err);
    for (size_t i = 0; i < TCS_COUNT(rounded_rows) && status == TCS_OK; i++) status = time_rounded(s, p, &rounded_rows[i], writer, err);
    return status;
}

/* ---- a model ---- */

static tcs_status time_stream(const side *s, tcsi_json_writer *writer, tcs_error *err)
{
    enum { STEPS = 20000 };
    double rounds[ROUND_COUNT];
    char name[96];
    tcsi_stream_net *stream;
    tcs_status status = tcsi_stream_net_create(s->net, s->y, &stream, err);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < ROUND_COUNT; i++) {
        double begin = now_us(CLOCK_PROCESS_CPUTIME_ID);
        for (size_t t = 0; t < STEPS; t++) (void)tcsi_stream_net_push(stream, s->x + t % WINDOW * FEATURES);
        rounds[i] = (now_us(CLOCK_PROCESS_CPUTIME_ID) - begin) / STEPS;
    }
    tcsi_stream_net_destroy(stream);
    snprintf(name, sizeof name, "%s, streaming step", s->model->name);
    double own = median(rounds), target = s->model->stream_target_us;
    write_row(writer, name, (figures){ own, NAN, NAN }, NULL, target, own <= target);
    return TCS_OK;
}

static tcs_status run_model(const model *m, peer *p, tcsi_pool *pool, tcsi_json_writer *writer, tcs_error *err)
{
    side s;
    double one_thread[TCS_COUNT(bench_rows)] = { 0 };
    tcs_status status = side_init(&s, m, err);
    s.pool = pool;
    if (status == TCS_OK && p->ask) status = check_sides(&s, p, 64, err);
    if (status == TCS_OK) printf("%s: %zu weights%s\n", m->name, tcsi_net_trained_count(s.net), p->ask ? ", both sides agree" : "");
    for (size_t i = 0; i < TCS_COUNT(bench_rows) && status == TCS_OK; i++) {
        const bench_row *row = &bench_rows[i];
        char name[96];
        figures f;
        if (row->threads > 1 && !m->on_two_threads) continue;
        status = time_row(&s, p, row, &f, err);
        if (status != TCS_OK) break;
        bool is_train = strcmp(row->what, "train") == 0;
        double target = row->threads > 1 ? NAN : is_train && row->rows == 64 ? m->train_target : !is_train && row->rows == 1 ? m->score_target : NAN;
        snprintf(name, sizeof name, "%s, %s %zu row%s, %zu thread%s", m->name, row->what, row->rows, row->rows > 1 ? "s" : "", row->threads,
                 row->threads > 1 ? "s" : "");
        write_row(writer, name, f, p->name, target, isnan(target) || isnan(f.ratio) || f.ratio >= target);
        one_thread[i] = f.ours;
        if (row->threads == 2 && is_train) {
            snprintf(name, sizeof name, "%s, two threads for one", m->name);
            double gain = one_thread[0] / f.ours;
            printf("%-34s %11.2f x    target 1.8%s\n", name, gain, gain >= 1.8 ? "" : "  MISSED");
        }
    }
    if (status == TCS_OK && m->stream_target_us > 0) status = time_stream(&s, writer, err);
    if (status == TCS_OK && tcsi_isa_has_bfloat16(tcsi_isa_current())) status = run_rounded(&s, p, writer, err);
    side_deinit(&s);
    return status;
}

int main(int argc, char **argv)
{
    tcs_error err = { 0 };
    tcsi_buffer out;
    tcsi_json_writer writer;
    tcsi_pool *pool = NULL;
    peer p;
    setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
    bool has_peer = peer_begin(&p);
    printf("peer: %s\n", has_peer ? p.name : "none (TOCSIN_BENCH_PYTHON names a Python with PyTorch)");
    tcsi_buffer_init(&out, 1 << 20);
    tcsi_json_writer_init(&writer, &out, true);
    tcsi_json_begin_array(&writer);
    tcs_status status = tcsi_pool_create(2, &pool, &err);
    for (size_t i = 0; i < TCS_COUNT(models) && status == TCS_OK; i++) {
        bool chosen = argc < 3;
        for (int k = 2; k < argc; k++) chosen |= strcmp(argv[k], models[i].name) == 0;
        if (chosen) status = run_model(&models[i], &p, pool, &writer, &err);
    }
    if (status == TCS_OK) {
        tcsi_json_end_array(&writer);
        status = tcsi_json_finish(&writer, &err);
    }
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], out.data, out.size, &err);
    if (status != TCS_OK) fprintf(stderr, "nn_bench: %s\n", err.text);
    tcsi_pool_destroy(pool);
    tcsi_buffer_deinit(&out);
    peer_end(&p);
    return status == TCS_OK ? 0 : 1;
}
