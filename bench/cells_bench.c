/* bench/cells_bench.c -- how fast are the element-wise functions beside libm, and the cells, norms and updates beside PyTorch?
 *
 * usage: cells_bench [OUTPUT.json]     prints a table; TOCSIN_BENCH_PYTHON names a python that has torch, else no peer runs
 * Figures are medians of processor time on one thread, because other programs may be busy; the peer runs on one thread too, in turn with
 * ours, on the same numbers.  The program fails when results differ from libm's, from the portable tier's or from the peer's, never
 * because a figure is slow.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "kernels/attention.h"
#include "kernels/norm.h"
#include "kernels/optimize.h"
#include "kernels/random.h"
#include "kernels/recurrent.h"
#include "kernels/vector.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPEAT_COUNT = 9, PATH_SIZE = 64, VECTOR_COUNT = 4096, VECTOR_REPEATS = 50 };
enum { BATCH = 64, LENGTH = 64, CHANNELS = 8, HIDDEN = 64, WIDTH = 64, HEADS = 4, ROWS = 4096, STEPS = 20, ATTENTION_BATCH = 8 };

static double processor_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, REPEAT_COUNT, sizeof *values, ascending);
    return values[REPEAT_COUNT / 2];
}

/* One line of the table and of the list.  target: what ours should be at most; 0: none. */
static void write_row(tcsi_json_writer *writer, const char *name, const char *unit, double ours, double peer, const char *peer_name,
                      double target)
{
    printf("%-40s %10.3f %s", name, ours, unit);
    if (peer > 0) printf("   %s %10.3f   %6.1f x", peer_name, peer, peer / ours);
    if (target > 0) printf("   target %.3g%s", target, ours <= target ? "" : "  MISSED");
    printf("\n");
    const figure row = figure_of_cost(name, unit, ours, peer, peer_name, target);
    figure_write(writer, &row);
}

/* ---- element-wise functions ---- */

static float sigmoidf(float x)
{
    return 1 / (1 + expf(-x));
}

static float softplusf(float x)
{
    return fmaxf(x, 0) + log1pf(expf(-fabsf(x)));
}

static float geluf(float x)
{
    return x * 0.5f * erfcf(-x * 0.70710678f);
}

static const struct {
    const char *name;
    tcsi_unary function;
    float (*scalar)(float x);
    double target_ns;
} functions[] = {
    { "exp", TCSI_UNARY_EXP, expf, 0.28 },        { "log", TCSI_UNARY_LOG, logf, 0 },
    { "tanh", TCSI_UNARY_TANH, tanhf, 0 },        { "sigmoid", TCSI_UNARY_SIGMOID, sigmoidf, 0 },
    { "softplus", TCSI_UNARY_SOFTPLUS, softplusf, 0 }, { "gelu", TCSI_UNARY_GELU, geluf, 0 },
};

static tcs_status run_functions(tcsi_json_writer *writer, tcs_error *err)
{
    static float x[VECTOR_COUNT], y[VECTOR_COUNT], z[VECTOR_COUNT];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    for (size_t i = 0; i < VECTOR_COUNT; i++) x[i] = (float)tcsi_rng_range(&rng, 0.01, 6);
    for (size_t f = 0; f < TCS_COUNT(functions); f++) {
        double times[TCSI_ISA_COUNT][REPEAT_COUNT], scalar[REPEAT_COUNT];
        for (size_t k = 0; k < REPEAT_COUNT; k++) {
            double begin = processor_us();
            for (size_t i = 0; i < VECTOR_COUNT; i++) z[i] = functions[f].scalar(x[i]);
            scalar[k] = (processor_us() - begin) * 1e3 / VECTOR_COUNT;
            for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
                if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
                begin = processor_us();
                for (size_t r = 0; r < VECTOR_REPEATS; r++) tcsi_vector_unary((tcsi_isa)isa, functions[f].function, VECTOR_COUNT, x, y);
                times[isa][k] = (processor_us() - begin) * 1e3 / VECTOR_COUNT / VECTOR_REPEATS;
                for (size_t i = 0; i < VECTOR_COUNT; i++)
                    if (!(fabsf(y[i] - z[i]) <= 1e-6f * fmaxf(fabsf(z[i]), 1e-2f)))
                        return tcsi_fail(err, TCS_E_INVALID, "%s(%.9g): %.9g, libm %.9g", functions[f].name, (double)x[i], (double)y[i],
                                         (double)z[i]);
            }
        }
        double libm = median(scalar);
        for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
            char name[64];
            if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
            snprintf(name, sizeof name, "%s, %s", functions[f].name, tcsi_isa_name((tcsi_isa)isa));
            write_row(writer, name, "ns", median(times[isa]), libm, "libm", isa == (int)tcsi_isa_current() ? functions[f].target_ns : 0);
        }
    }
    return TCS_OK;
}

/* ---- cells ---- */

/* Inputs and results stand one after the other in two blocks, in the order cells_peer.py takes and gives them. */
typedef struct work {
    tcsi_isa isa;
    float *in, *out, *scratch;
} work;

typedef struct recurrent_sizes {
    size_t w_input, w_hidden, bias, x, y;
} recurrent_sizes;

static recurrent_sizes sizes_of(const tcsi_recurrent *shape, size_t batch)
{
    const size_t gates = (shape->kind == TCSI_RECURRENT_LSTM ? 4 : 3) * shape->hidden;
    return (recurrent_sizes){ shape->channels_in * gates, shape->hidden * gates, gates, batch * shape->length * shape->channels_in,
                              batch * shape->length * shape->hidden };
}

/* Weights, dy or the state, x.  Forward, and backward with training; one step begins with a state, a copy, because it is overwritten. */
static void run_recurrent(const work *w, tcsi_recurrent_kind kind, size_t batch, size_t length, bool training)
{
    const tcsi_recurrent shape = { kind, length, CHANNELS, HIDDEN };
    const recurrent_sizes n = sizes_of(&shape, batch);
    const float *w_input = w->in, *w_hidden = w_input + n.w_input, *bias = w_hidden + n.w_hidden, *dy = bias + 2 * n.bias;
    const float *x = dy + (training ? n.y : length == 1 ? 2 * HIDDEN : 0);
    const tcsi_recurrent_weights weights = { w_input, w_hidden, bias, bias + n.bias };
    float *dx = w->out + n.y, *dw_input = dx + n.x, *dw_hidden = dw_input + n.w_input, *dbias = dw_hidden + n.w_hidden;
    float *saved = w->scratch, *scratch = saved + batch * tcsi_recurrent_saved_count(&shape);
    float state[2 * HIDDEN], *h = length == 1 ? memcpy(state, dy, sizeof state) : NULL, *c = h ? h + HIDDEN : NULL;
    tcsi_recurrent_forward(w->isa, &shape, batch, x, &weights, h, c, w->out, training ? saved : NULL, scratch);
    if (!training) return;
    const tcsi_recurrent_gradients gradients = { dw_input, dw_hidden, dbias, dbias + n.bias };
    memset(dw_input, 0, (n.w_input + n.w_hidden + 2 * n.bias) * sizeof *dw_input);
    tcsi_recurrent_backward(w->isa, &shape, batch, x, &weights, w->out, saved, dy, false, dx, &gradients, scratch);
}

static void run_lstm_score(const work *w)
{
    run_recurrent(w, TCSI_RECURRENT_LSTM, 1, LENGTH, false);
}

static void run_lstm_step(const work *w)
{
    run_recurrent(w, TCSI_RECURRENT_LSTM, 1, 1, false);
}

static void run_lstm_train(const work *w)
{
    run_recurrent(w, TCSI_RECURRENT_LSTM, BATCH, LENGTH, true);
}

static void run_gru_score(const work *w)
{
    run_recurrent(w, TCSI_RECURRENT_GRU, 1, LENGTH, false);
}

static void run_gru_step(const work *w)
{
    run_recurrent(w, TCSI_RECURRENT_GRU, 1, 1, false);
}

static void run_gru_train(const work *w)
{
    run_recurrent(w, TCSI_RECURRENT_GRU, BATCH, LENGTH, true);
}

static void run_attention(const work *w)
{
    const tcsi_attention shape = { LENGTH, WIDTH, HEADS, false };
    const size_t y_count = ATTENTION_BATCH * LENGTH * WIDTH;
    float *weights = w->scratch, *scratch = weights + ATTENTION_BATCH * HEADS * LENGTH * LENGTH;
    tcsi_attention_forward(w->isa, &shape, ATTENTION_BATCH, w->in, w->out, weights, scratch);
    tcsi_attention_backward(w->isa, &shape, ATTENTION_BATCH, w->in, weights, w->in + 3 * y_count, false, w->out + y_count, scratch);
}

static void run_layer_norm(const work *w)
{
    const size_t n = ROWS * WIDTH;
    const float *gain = w->in + n, *shift = gain + WIDTH, *dy = shift + WIDTH;
    float *mean = w->scratch, *inverse = mean + ROWS, *dx = w->out + n, *dgain = dx + n, *dshift = dgain + WIDTH;
    tcsi_layer_norm_forward(w->isa, ROWS, WIDTH, 1e-5f, w->in, gain, shift, w->out, mean, inverse);
    memset(dgain, 0, 2 * WIDTH * sizeof *dgain);
    tcsi_layer_norm_backward(w->isa, ROWS, WIDTH, w->in, gain, mean, inverse, dy, false, dx, dgain, dshift);
}

static void run_softmax(const work *w)
{
    tcsi_softmax_forward(w->isa, ROWS, WIDTH, w->in, w->out);
}

static void run_gelu(const work *w)
{
    tcsi_vector_unary(w->isa, TCSI_UNARY_GELU, ROWS * WIDTH, w->in, w->out);
}

static void run_adamw(const work *w)
{
    const size_t n = ROWS * 16;
    tcsi_adamw rule = { .rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.01, .gradient_scale = 1 };
    memcpy(w->out, w->in, n * sizeof *w->in);
    memset(w->scratch, 0, 2 * n * sizeof *w->scratch);
    for (rule.step = 1; rule.step <= STEPS; rule.step++) tcsi_adamw_step(w->isa, &rule, n, w->in + n, w->out, w->scratch, w->scratch + n);
}

enum {
    W_INPUT = CHANNELS * HIDDEN, W_HIDDEN = HIDDEN * HIDDEN, X_COUNT = BATCH * LENGTH * CHANNELS, Y_COUNT = BATCH * LENGTH * HIDDEN,
    IN_MAX = 1 << 20, SCRATCH_MAX = 1 << 22, LINE = 16 /* floats of a cache line */
};
#define WEIGHT_COUNT(gates) ((gates) * (W_INPUT + W_HIDDEN + 2 * HIDDEN))
#define RECURRENT_FLOP(gates, batch, length) (2.0 * (gates) * (W_INPUT + W_HIDDEN) * (batch) * (length))

static const struct {
    const char *name, *peer_case;
    void (*run)(const work *work);
    size_t in_count, out_count, inner_count; /* inner_count runs are timed as one */
    double flop;                             /* of the products; 0: not worth telling */
    double target_us, target_ratio;          /* at most so long; at least so many times faster than the peer; 0: none */
} cases[] = {
    { "LSTM 8-64, a window of 64", "lstm_score", run_lstm_score, LENGTH * CHANNELS + WEIGHT_COUNT(4), LENGTH * HIDDEN, 20,
      RECURRENT_FLOP(4, 1, LENGTH), 0, 20 },
    { "LSTM 8-64, a step", "lstm_step", run_lstm_step, CHANNELS + WEIGHT_COUNT(4) + 2 * HIDDEN, HIDDEN, 1000,
      RECURRENT_FLOP(4, 1, 1), 3, 0 },
    { "LSTM 8-64, gradients, batch 64", "lstm_train", run_lstm_train, X_COUNT + WEIGHT_COUNT(4) + Y_COUNT,
      Y_COUNT + X_COUNT + WEIGHT_COUNT(4), 1, 3 * RECURRENT_FLOP(4, BATCH, LENGTH), 0, 3 },
    { "GRU 8-64, a window of 64", "gru_score", run_gru_score, LENGTH * CHANNELS + WEIGHT_COUNT(3), LENGTH * HIDDEN, 20,
      RECURRENT_FLOP(3, 1, LENGTH), 0, 20 },
    { "GRU 8-64, a step", "gru_step", run_gru_step, CHANNELS + WEIGHT_COUNT(3) + 2 * HIDDEN, HIDDEN, 1000,
      RECURRENT_FLOP(3, 1, 1), 3, 0 },
    { "GRU 8-64, gradients, batch 64", "gru_train", run_gru_train, X_COUNT + WEIGHT_COUNT(3) + Y_COUNT,
      Y_COUNT + X_COUNT + WEIGHT_COUNT(3), 1, 3 * RECURRENT_FLOP(3, BATCH, LENGTH), 0, 3 },
    { "attention 64 x 64, 4 heads, gradients", "attention", run_attention, 4 * ATTENTION_BATCH * LENGTH * WIDTH,
      4 * ATTENTION_BATCH * LENGTH * WIDTH, 2, 12.0 * ATTENTION_BATCH * LENGTH * LENGTH * WIDTH, 0, 0 },
    { "layer norm 4096 x 64, gradients", "layer_norm", run_layer_norm, 2 * ROWS * WIDTH + 2 * WIDTH, 2 * ROWS * WIDTH + 2 * WIDTH, 2, 0,
      0, 0 },
    { "softmax 4096 x 64", "softmax", run_softmax, ROWS * WIDTH, ROWS * WIDTH, 2, 0, 0, 0 },
    { "GELU of 262144", "gelu", run_gelu, ROWS * WIDTH, ROWS * WIDTH, 2, 0, 0, 0 },
    { "AdamW, 20 steps of 65536", "adamw", run_adamw, 2 * ROWS * 16, ROWS * 16, 1, 0, 0, 0 },
};

/* ---- the peer ---- */

typedef struct peer_process {
    pid_t process;
    FILE *to, *from;
    char version[64];
} peer_process;

/* Starts the peer on one case and waits until it has written its results. */
static tcs_status peer_open(const char *python, const char *peer_case, const char *in_path, const char *out_path, peer_process *ret_peer,
                            tcs_error *err)
{
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) return tcsi_fail(err, TCS_E_IO, "cannot make a pipe");
    pid_t process = fork();
    if (process < 0) return tcsi_fail(err, TCS_E_IO, "cannot start %s", python);
    if (process == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        execlp(python, python, CELLS_PEER, peer_case, in_path, out_path, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    *ret_peer = (peer_process){ .process = process, .to = fdopen(to[1], "w"), .from = fdopen(from[0], "r") };
    if (!fgets(ret_peer->version, sizeof ret_peer->version, ret_peer->from))
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s cannot run PyTorch", python);
    ret_peer->version[strcspn(ret_peer->version, "\n")] = 0;
    return TCS_OK;
}

static void peer_close(peer_process *peer)
{
    if (peer->to) fclose(peer->to);
    if (peer->from) fclose(peer->from);
    if (peer->process > 0) waitpid(peer->process, NULL, 0);
}

static double peer_run_us(peer_process *peer, size_t count)
{
    char line[64];
    fprintf(peer->to, "%zu\n", count);
    fflush(peer->to);
    return fgets(line, sizeof line, peer->from) ? strtod(line, NULL) * 1e6 : 0;
}

/* Within 1e-4 of the largest: sums of 4096 products in another order. */
static tcs_status compare(const char *name, const char *with, const float *ours, const float *theirs, size_t count, tcs_error *err)
{
    float scale = 0;
    for (size_t i = 0; i < count; i++) scale = fmaxf(scale, fabsf(theirs[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(ours[i] - theirs[i]) <= 1e-4f * scale))
            return tcsi_fail(err, TCS_E_INVALID, "%s: result %zu is %.9g, %s has %.9g", name, i, (double)ours[i], with, (double)theirs[i]);
    return TCS_OK;
}

static tcs_status compare_with_file(const char *name, const char *path, const float *ours, size_t count, tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1 << 26);
    tcs_status status = tcsi_file_read(path, &bytes, err);
    if (status == TCS_OK && bytes.size != count * sizeof *ours)
        status = tcsi_fail(err, TCS_E_FORMAT, "%s: the peer gave other results", name);
    if (status == TCS_OK) status = compare(name, "PyTorch", ours, (const float *)(const void *)bytes.data, count, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

/* ---- one case ---- */

static double time_us(size_t index, const work *w)
{
    cases[index].run(w);
    double begin = processor_us();
    for (size_t k = 0; k < cases[index].inner_count; k++) cases[index].run(w);
    return (processor_us() - begin) / (double)cases[index].inner_count;
}

/* Our tiers and the peer in turn; every tier's results against the portable one's and the peer's. */
static tcs_status run_case(size_t index, const char *python, work *w, float *portable, tcsi_json_writer *writer, tcs_error *err)
{
    char in_path[PATH_SIZE], out_path[PATH_SIZE], name[96];
    double times[TCSI_ISA_COUNT][REPEAT_COUNT], peer_times[REPEAT_COUNT] = { 0 };
    peer_process peer = { 0 };
    tcs_status status = TCS_OK;
    snprintf(in_path, sizeof in_path, "/tmp/cells_bench_%ld.in", (long)getpid());
    snprintf(out_path, sizeof out_path, "/tmp/cells_bench_%ld.out", (long)getpid());
    if (python) status = tcsi_file_write(in_path, w->in, cases[index].in_count * sizeof *w->in, err);
    if (status == TCS_OK && python) status = peer_open(python, cases[index].peer_case, in_path, out_path, &peer, err);
    for (size_t k = 0; k < REPEAT_COUNT && status == TCS_OK; k++) {
        for (int isa = 0; isa < TCSI_ISA_COUNT && status == TCS_OK; isa++) {
            if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
            w->isa = (tcsi_isa)isa;
            times[isa][k] = time_us(index, w);
            if (isa == TCSI_ISA_PORTABLE) memcpy(portable, w->out, cases[index].out_count * sizeof *portable);
            status = compare(cases[index].name, "portable", w->out, portable, cases[index].out_count, err);
        }
        if (python && status == TCS_OK) peer_times[k] = peer_run_us(&peer, cases[index].inner_count);
    }
    if (status == TCS_OK && python) status = compare_with_file(cases[index].name, out_path, w->out, cases[index].out_count, err);
    const double theirs = median(peer_times);
    for (int isa = 0; isa < TCSI_ISA_COUNT && status == TCS_OK; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        const bool is_current = isa == (int)tcsi_isa_current();
        double ours = median(times[isa]), target = cases[index].target_us;
        if (cases[index].target_ratio > 0) target = theirs / cases[index].target_ratio;
        snprintf(name, sizeof name, "%s, %s", cases[index].name, tcsi_isa_name((tcsi_isa)isa));
        write_row(writer, name, "us", ours, theirs, peer.version, is_current ? target : 0);
        if (cases[index].flop > 0) printf("%40s %10.2f GFLOP/s\n", "", cases[index].flop / ours * 1e-3);
    }
    peer_close(&peer);
    (void)remove(in_path);
    (void)remove(out_path);
    return status;
}

static tcs_status run_cases(const char *python, tcsi_json_writer *writer, tcs_error *err)
{
    float *memory = TCSI_NEW_ZEROS(float, 3 * IN_MAX + SCRATCH_MAX + LINE);
    if (!memory) return tcsi_fail_memory(err, "arrays");
    /* On the border of a cache line, as networks keep theirs. */
    float *first = memory + (LINE - (uintptr_t)memory / sizeof(float) % LINE) % LINE, *portable = first + 2 * IN_MAX;
    work w = { .in = first, .out = first + IN_MAX, .scratch = first + 3 * IN_MAX };
    tcs_status status = TCS_OK;
    tcsi_rng rng = tcsi_rng_make(2, 0);
    for (size_t i = 0; i < IN_MAX && status == TCS_OK; i++) w.in[i] = (float)(0.25 * tcsi_rng_normal(&rng));
    for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) {
        TCS_ASSERT(cases[i].in_count <= IN_MAX && cases[i].out_count <= IN_MAX);
        status = run_case(i, python, &w, portable, writer, err);
    }
    tcsi_free(memory);
    return status;
}

/* ---- random numbers, beside base/rng.h one at a time ---- */

static tcs_status run_random(tcsi_json_writer *writer, tcs_error *err)
{
    enum { COUNT = 1 << 16 };
    static float numbers[COUNT];
    double times[TCSI_ISA_COUNT][REPEAT_COUNT], scalar[REPEAT_COUNT];
    const tcsi_random_span span = { 1, 2, 0, COUNT };
    for (size_t k = 0; k < REPEAT_COUNT; k++) {
        tcsi_rng rng = tcsi_rng_make(1, 2);
        double begin = processor_us();
        uint32_t last = 0;
        for (size_t i = 0; i < COUNT; i++) last = tcsi_rng_u32(&rng);
        scalar[k] = (processor_us() - begin) * 1e3 / COUNT;
        for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
            if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
            begin = processor_us();
            tcsi_random_uniform((tcsi_isa)isa, &span, numbers);
            times[isa][k] = (processor_us() - begin) * 1e3 / COUNT;
            if (numbers[COUNT - 1] != (float)(last >> 8) * 0x1p-24f) return tcsi_fail(err, TCS_E_INVALID, "random numbers differ");
        }
    }
    double peer = median(scalar);
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        char name[64];
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        snprintf(name, sizeof name, "uniform number, %s", tcsi_isa_name((tcsi_isa)isa));
        write_row(writer, name, "ns", median(times[isa]), peer, "base/rng.h", 0);
    }
    return TCS_OK;
}

int main(int argc, char **argv)
{
    const char *python = getenv("TOCSIN_BENCH_PYTHON");
    tcs_error err = { 0 };
    tcsi_buffer text;
    tcsi_json_writer writer;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, true);
    printf("one thread, %s, medians of processor time\n", tcsi_isa_name(tcsi_isa_current()));
    tcsi_json_begin_array(&writer);
    tcs_status status = run_functions(&writer, &err);
    if (status == TCS_OK) status = run_random(&writer, &err);
    if (status == TCS_OK) status = run_cases(python, &writer, &err);
    if (!python) printf("(TOCSIN_BENCH_PYTHON names a python with torch to compare with)\n");
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, &err);
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], text.data, text.size, &err);
    if (status != TCS_OK) fprintf(stderr, "cells_bench: %s\n", err.text);
    tcsi_buffer_deinit(&text);
    return status == TCS_OK ? 0 : 1;
}
