/* bench/kernels_bench.c -- how fast are the matrix product and the convolution, beside OpenBLAS and oneDNN?
 *
 * usage: kernels_bench [OUTPUT.json] [PART OF A NAME]     the second: only the cases whose name holds it
 * Everyone works on the same arrays in turn, a few hundred microseconds each, many turns; figures are medians, ratios are of medians.
 * One thread is measured by processor time, because other programs may be busy; two by wall time, which says something only on a
 * quiet machine.  A product's peer is the faster library; a convolution's is oneDNN with its weights laid out beforehand, and, to see what
 * edges and short sequences cost, our own product of the same size.
 * In bfloat16, on processors with AVX512_BF16, the peers are our own in single precision and oneDNN, which like us finds its operands in
 * single precision and rounds them each time.
 * The program fails when results differ beyond rounding, never because a figure is slow.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "kernels_peers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double TARGET = 0.9, TURN_SECONDS = 4e-4, BUDGET_SECONDS = 0.3;
enum { TURNS_MIN = 9, TURNS_MAX = 101, CONTENDERS_MAX = 4, NAME_SIZE = 96, ALIGNMENT = 64 };

typedef struct bench {
    size_t thread_count;
    tcsi_pool *pool;
    const char *filter;
    tcsi_json_writer *writer;
    tcsi_rng rng;
} bench;

/* ---- turns ---- */

typedef struct contender {
    const char *name;
    void (*run)(void *context);
    void *context;
    double seconds; /* the median */
} contender;

static double now(const bench *b)
{
    struct timespec t;
    clock_gettime(b->thread_count == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void take_turns(const bench *b, contender *contenders, size_t count)
{
    static double times[CONTENDERS_MAX][TURNS_MAX];
    size_t repeats[CONTENDERS_MAX], turns = TURNS_MAX;
    for (size_t i = 0; i < count; i++) {
        contenders[i].run(contenders[i].context); /* once for the caches */
        double begin = now(b);
        contenders[i].run(contenders[i].context);
        double once = fmax(now(b) - begin, 1e-8);
        repeats[i] = (size_t)fmax(1, TURN_SECONDS / once);
        turns = (size_t)fmin((double)turns, fmax(TURNS_MIN, BUDGET_SECONDS / (once * (double)repeats[i])));
    }
    for (size_t turn = 0; turn < turns; turn++)
        for (size_t i = 0; i < count; i++) {
            double begin = now(b);
            for (size_t r = 0; r < repeats[i]; r++) contenders[i].run(contenders[i].context);
            times[i][turn] = (now(b) - begin) / (double)repeats[i];
        }
    for (size_t i = 0; i < count; i++) {
        qsort(times[i], turns, sizeof times[i][0], ascending);
        contenders[i].seconds = times[i][turns / 2];
    }
}

/* One line of the table and of the list: contenders[0] is ours, the fastest of the others the peer. */
static void report(const bench *b, const char *name, double operations, const contender *contenders, size_t count)
{
    const contender *peer = NULL;
    for (size_t i = 1; i < count; i++)
        if (!peer || contenders[i].seconds < peer->seconds) peer = &contenders[i];
    const double ours = operations / contenders[0].seconds * 1e-9, theirs = peer ? operations / peer->seconds * 1e-9 : NAN;
    const bool ok = !peer || ours >= TARGET * theirs;
    char full[NAME_SIZE + 32];
    snprintf(full, sizeof full, "%s, %zu thread%s", name, b->thread_count, b->thread_count == 1 ? "" : "s");
    printf("%-68s %7.1f GFLOP/s", full, ours);
    if (peer) printf("   %-8s %7.1f   %5.2f%s", peer->name, theirs, ours / theirs, ok ? "" : "  MISSED");
    printf("\n");
    figure_write(b->writer, &(figure){ .name = full, .unit = "GFLOP/s", .ours = ours, .peer = theirs, .peer_name = peer ? peer->name : NULL,
                                       .ratio = ours / theirs, .target = TARGET, .ok = ok });
}

static bool is_wanted(const bench *b, const char *name)
{
    return !b->filter || strstr(name, b->filter);
}

/* ---- arrays ---- */

/* Aligned as the arrays of networks are, and as both peers like them best. */
typedef struct array {
    void *block;
    float *data;
    size_t count;
} array;

static tcs_status array_init(bench *b, array *a, size_t count, tcs_error *err)
{
    a->count = count;
    a->block = tcsi_alloc(count * sizeof(float) + ALIGNMENT);
    if (!a->block) return tcsi_fail_memory(err, "an array");
    a->data = (float *)(((uintptr_t)a->block + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    for (size_t i = 0; i < count; i++) a->data[i] = (float)tcsi_rng_range(&b->rng, -0.5, 0.5);
    return TCS_OK;
}

static void array_deinit(array *a)
{
    tcsi_free(a->block);
}

/* Sums of count products of numbers below 1 / 2, in different orders. */
static tcs_status compare(const char *name, const char *peer, const array *ours, const array *theirs, size_t count, tcs_error *err)
{
    const double tolerance = 1e-6 * (1 + (double)count);
    for (size_t i = 0; i < ours->count; i++)
        if (!(fabs((double)ours->data[i] - (double)theirs->data[i]) <= tolerance))
            return tcsi_fail(err, TCS_E_INVALID, "%s: element %zu is %.9g, %s %.9g", name, i, (double)ours->data[i], peer,
                             (double)theirs->data[i]);
    return TCS_OK;
}

/* ---- products ---- */

typedef struct product_case {
    size_t m, k, n;
    bool a_transposed, b_transposed;
} product_case;

/* Forward passes, then what their gradients need: of the weights A' B, of the input A B'. */
static const product_case product_cases[] = {
    { 1, 64, 32, false, false }, { 1, 64, 256, false, false }, { 16, 64, 64, false, false }, { 64, 64, 32, false, false },
    { 64, 32, 8, false, false }, { 64, 8, 32, false, false }, { 256, 64, 64, false, false }, { 4096, 24, 32, false, false },
    { 4096, 96, 32, false, false }, { 4096, 64, 192, false, false }, { 4096, 896, 256, false, false }, { 512, 512, 512, false, false },
    { 2048, 512, 512, false, false },
    { 64, 64, 32, true, false }, { 64, 256, 64, true, false }, { 24, 4096, 32, true, false }, { 96, 4096, 32, true, false },
    { 64, 4096, 192, true, false }, { 896, 4096, 256, true, false }, { 512, 512, 512, true, false }, { 512, 2048, 512, true, false },
    { 64, 32, 64, false, true }, { 256, 64, 64, false, true }, { 4096, 32, 24, false, true }, { 4096, 32, 96, false, true },
    { 4096, 192, 64, false, true }, { 4096, 256, 896, false, true }, { 512, 512, 512, false, true }, { 2048, 512, 512, false, true },
};

typedef struct product_job {
    tcsi_gemm gemm;
    tcsi_pool *pool;
    void (*multiply)(const tcsi_gemm *gemm);
} product_job;

static void run_ours(void *context)
{
    const product_job *job = context;
    tcsi_gemm_run(tcsi_isa_current(), job->pool, &job->gemm);
}

static void run_theirs(void *context)
{
    const product_job *job = context;
    job->multiply(&job->gemm);
}

static tcsi_gemm product_make(const product_case *c, const array *a, const array *w, const array *out)
{
    return (tcsi_gemm){ .m = c->m, .n = c->n, .k = c->k, .a = a->data, .b = w->data, .a_stride = c->a_transposed ? c->m : c->k,
                        .b_stride = c->b_transposed ? c->k : c->n, .a_transposed = c->a_transposed, .b_transposed = c->b_transposed,
                        .c = out->data, .c_stride = c->n };
}

static tcs_status run_product(bench *b, const product_case *c, tcs_error *err)
{
    char name[NAME_SIZE];
    peer_library libraries[PEER_COUNT_MAX];
    contender contenders[1 + PEER_COUNT_MAX];
    product_job jobs[1 + PEER_COUNT_MAX];
    array a = { 0 }, w = { 0 }, results[1 + PEER_COUNT_MAX] = { { 0 } };
    const size_t peers = peer_libraries(libraries);
    snprintf(name, sizeof name, "product %zu x %zu x %zu%s%s", c->m, c->k, c->n, c->a_transposed ? ", A'" : "",
             c->b_transposed ? ", B'" : "");
    if (!is_wanted(b, name)) return TCS_OK;
    tcs_status status = array_init(b, &a, c->m * c->k, err);
    if (status == TCS_OK) status = array_init(b, &w, c->k * c->n, err);
    for (size_t i = 0; i <= peers && status == TCS_OK; i++) {
        status = array_init(b, &results[i], c->m * c->n, err);
        jobs[i] = (product_job){ product_make(c, &a, &w, &results[i]), b->pool, i > 0 ? libraries[i - 1].multiply : NULL };
        contenders[i] = (contender){ i > 0 ? libraries[i - 1].name : "ours", i > 0 ? run_theirs : run_ours, &jobs[i], 0 };
    }
    if (status == TCS_OK) {
        take_turns(b, contenders, 1 + peers);
        report(b, name, 2 * (double)c->m * (double)c->k * (double)c->n, contenders, 1 + peers);
    }
    for (size_t i = 1; i <= peers && status == TCS_OK; i++) status = compare(name, contenders[i].name, &results[0], &results[i], c->k, err);
    for (size_t i = 0; i <= peers; i++) array_deinit(&results[i]);
    array_deinit(&a);
    array_deinit(&w);
    return status;
}

/* ---- products in bfloat16 ---- */

static void run_their_rounded(void *context)
{
    peer_rounded_run(context);
}

/* Beside single precision: how much is gained.  Beside oneDNN: both round alike, so that only the order of sums differs. */
static tcs_status run_product_rounded(bench *b, const product_case *c, tcs_error *err)
{
    char name[NAME_SIZE];
    array a = { 0 }, w = { 0 }, results[3] = { { 0 } };
    product_job jobs[3];
    const double operations = 2 * (double)c->m * (double)c->k * (double)c->n;
    snprintf(name, sizeof name, "bfloat16 product %zu x %zu x %zu%s%s", c->m, c->k, c->n, c->a_transposed ? ", A'" : "",
             c->b_transposed ? ", B'" : "");
    if (!is_wanted(b, name)) return TCS_OK;
    tcs_status status = array_init(b, &a, c->m * c->k, err);
    if (status == TCS_OK) status = array_init(b, &w, c->k * c->n, err);
    for (size_t i = 0; i < TCS_COUNT(results) && status == TCS_OK; i++) {
        status = array_init(b, &results[i], c->m * c->n, err);
        jobs[i] = (product_job){ product_make(c, &a, &w, &results[i]), b->pool, NULL };
    }
    if (status == TCS_OK) {
        jobs[0].gemm.precision = TCSI_PRECISION_BFLOAT16;
        peer_rounded *peer = peer_rounded_create(&jobs[2].gemm);
        contender contenders[] = { { "ours", run_ours, &jobs[0], 0 }, { "single", run_ours, &jobs[1], 0 },
                                   { "oneDNN", run_their_rounded, peer, 0 } };
        take_turns(b, contenders, peer ? 3 : 2);
        report(b, name, operations, contenders, 2);
        if (peer) {
            contenders[1] = contenders[2];
            report(b, name, operations, contenders, 2);
            status = compare(name, "oneDNN", &results[0], &results[2], c->k, err);
        }
        peer_rounded_destroy(peer);
    }
    for (size_t i = 0; i < TCS_COUNT(results); i++) array_deinit(&results[i]);
    array_deinit(&a);
    array_deinit(&w);
    return status;
}

/* ---- convolutions ---- */

typedef struct conv_case {
    size_t batch, length, channels_in, channels_out, kernel, dilation;
    bool is_depthwise;
} conv_case;

/* All causal. */
static const conv_case conv_cases[] = {
    { 64, 64, 32, 32, 3, 1, false }, { 64, 64, 64, 64, 3, 4, false }, { 8, 512, 32, 32, 3, 16, false }, { 64, 64, 1, 32, 7, 1, false },
    { 64, 64, 128, 256, 7, 1, false }, { 64, 64, 64, 64, 5, 1, true },
};

typedef struct conv_job {
    conv_pass pass;
    tcsi_conv conv;
    size_t batch;
    array x, w, bias, y, scratch;
    peer_conv *peer;
} conv_job;

static void run_conv(void *context)
{
    const conv_job *j = context;
    const tcsi_isa isa = tcsi_isa_current();
    switch (j->pass) {
    case CONV_FORWARD:
        tcsi_conv_forward(isa, &j->conv, j->batch, j->x.data, j->w.data, j->bias.data, NULL, TCSI_ACTIVATION_RELU, j->y.data,
                          j->scratch.data);
        break;
    case CONV_INPUT_GRADIENT:
        tcsi_conv_backward_input(isa, &j->conv, j->batch, j->y.data, j->w.data, false, j->x.data, j->scratch.data);
        break;
    case CONV_WEIGHT_GRADIENT:
        tcsi_conv_backward_weight(isa, &j->conv, j->batch, j->x.data, j->y.data, j->w.data, j->bias.data, j->scratch.data);
        break;
    }
}

static void run_peer_conv(void *context)
{
    peer_conv_run(((conv_job *)context)->peer);
}

static tcs_status job_init(bench *b, conv_job *j, tcs_error *err)
{
    const tcsi_conv *c = &j->conv;
    tcs_status status = array_init(b, &j->x, j->batch * c->length_in * c->channels_in, err);
    if (status == TCS_OK) status = array_init(b, &j->w, c->kernel * c->channels_in * (c->is_depthwise ? 1 : c->channels_out), err);
    if (status == TCS_OK) status = array_init(b, &j->bias, c->channels_out, err);
    if (status == TCS_OK) status = array_init(b, &j->y, j->batch * c->length_out * c->channels_out, err);
    if (status == TCS_OK) status = array_init(b, &j->scratch, tcsi_conv_scratch_count(c), err);
    return status;
}

static void job_deinit(conv_job *j)
{
    array *all[] = { &j->x, &j->w, &j->bias, &j->y, &j->scratch };
    for (size_t i = 0; i < TCS_COUNT(all); i++) array_deinit(all[i]);
    peer_conv_destroy(j->peer);
}

static void job_copy(const conv_job *from, conv_job *to)
{
    const array *source[] = { &from->x, &from->w, &from->bias, &from->y };
    array *target[] = { &to->x, &to->w, &to->bias, &to->y };
    for (size_t i = 0; i < TCS_COUNT(source); i++) memcpy(target[i]->data, source[i]->data, source[i]->count * sizeof(float));
}

/* What a pass has written, after one run each from the same arrays; gradients of weights begin at zero. */
static tcs_status compare_passes(const char *name, conv_job *ours, conv_job *theirs, tcs_error *err)
{
    const tcsi_conv *c = &ours->conv;
    if (ours->pass == CONV_WEIGHT_GRADIENT) memset(ours->w.data, 0, ours->w.count * sizeof(float));
    run_conv(ours);
    peer_conv_run(theirs->peer);
    peer_conv_finish(theirs->peer);
    if (ours->pass == CONV_FORWARD) return compare(name, "oneDNN", &ours->y, &theirs->y, ours->w.count / c->channels_out, err);
    if (ours->pass == CONV_INPUT_GRADIENT) return compare(name, "oneDNN", &ours->x, &theirs->x, ours->w.count / c->channels_in, err);
    return compare(name, "oneDNN", &ours->w, &theirs->w, ours->batch * c->length_out, err);
}

static void job_name(const conv_job *j, char *name)
{
    static const char *const passes[CONV_PASS_COUNT] = { "forward", "dx", "dw" };
    const tcsi_conv *c = &j->conv;
    snprintf(name, NAME_SIZE, "%s %zu x %zu steps, %zu > %zu, kernel %zu / %zu, %s", c->is_depthwise ? "depthwise" : "conv", j->batch,
             c->length_in, c->channels_in, c->channels_out, c->kernel, c->dilation, passes[j->pass]);
}

/* The product of the same size. */
static product_case product_like(const conv_job *j)
{
    const tcsi_conv *c = &j->conv;
    const size_t rows = j->batch * c->length_in;
    if (j->pass == CONV_INPUT_GRADIENT) return (product_case){ rows, c->kernel * c->channels_out, c->channels_in, false, false };
    if (j->pass == CONV_WEIGHT_GRADIENT) return (product_case){ c->kernel * c->channels_in, rows, c->channels_out, true, false };
    return (product_case){ rows, c->kernel * c->channels_in, c->channels_out, false, false };
}

static tcs_status run_conv_against_product(bench *b, conv_job *j, double operations, tcs_error *err)
{
    char name[NAME_SIZE];
    const product_case like = product_like(j);
    array a = { 0 }, w = { 0 }, out = { 0 };
    tcs_status status = array_init(b, &a, like.m * like.k, err);
    if (status == TCS_OK) status = array_init(b, &w, like.k * like.n, err);
    if (status == TCS_OK) status = array_init(b, &out, like.m * like.n, err);
    if (status == TCS_OK) {
        product_job product = { product_make(&like, &a, &w, &out), NULL, NULL };
        contender contenders[] = { { "ours", run_conv, j, 0 }, { "product", run_ours, &product, 0 } };
        job_name(j, name);
        take_turns(b, contenders, 2);
        report(b, name, operations, contenders, 2);
    }
    array_deinit(&a);
    array_deinit(&w);
    array_deinit(&out);
    return status;
}

static tcs_status run_pass(bench *b, const conv_case *c, conv_pass pass, tcs_error *err)
{
    char name[NAME_SIZE];
    conv_job ours = { .pass = pass, .batch = c->batch,
                      .conv = { .length_in = c->length, .length_out = c->length, .channels_in = c->channels_in,
                                .channels_out = c->channels_out, .kernel = c->kernel, .stride = 1, .dilation = c->dilation,
                                .pad_left = (c->kernel - 1) * c->dilation, .is_depthwise = c->is_depthwise } };
    conv_job theirs = ours;
    job_name(&ours, name);
    if (!is_wanted(b, name)) return TCS_OK;
    tcs_status status = job_init(b, &ours, err);
    if (status == TCS_OK) status = job_init(b, &theirs, err);
    const double operations = 2 * (double)(c->batch * c->length) * (double)ours.w.count;
    if (status == TCS_OK) {
        job_copy(&ours, &theirs);
        theirs.peer = peer_conv_create(pass, &theirs.conv, theirs.batch,
                                       &(peer_conv_arrays){ theirs.x.data, theirs.w.data, theirs.bias.data, theirs.y.data });
        if (theirs.peer) status = compare_passes(name, &ours, &theirs, err);
    }
    if (status == TCS_OK) {
        contender contenders[] = { { "ours", run_conv, &ours, 0 }, { "oneDNN", run_peer_conv, &theirs, 0 } };
        const size_t count = theirs.peer ? 2 : 1;
        take_turns(b, contenders, count);
        report(b, name, operations, contenders, count);
    }
    if (status == TCS_OK && !c->is_depthwise) status = run_conv_against_product(b, &ours, operations, err);
    job_deinit(&ours);
    job_deinit(&theirs);
    return status;
}

/* Two jobs of their own arrays: gradients of weights add up. */
static tcs_status run_pass_rounded(bench *b, const conv_case *c, conv_pass pass, tcs_error *err)
{
    char name[NAME_SIZE], full[NAME_SIZE];
    conv_job ours = { .pass = pass, .batch = c->batch,
                      .conv = { .length_in = c->length, .length_out = c->length, .channels_in = c->channels_in,
                                .channels_out = c->channels_out, .kernel = c->kernel, .stride = 1, .dilation = c->dilation,
                                .pad_left = (c->kernel - 1) * c->dilation, .precision = TCSI_PRECISION_BFLOAT16 } };
    conv_job single = ours;
    single.conv.precision = TCSI_PRECISION_SINGLE;
    job_name(&ours, name);
    snprintf(full, sizeof full, "bfloat16 %.*s", (int)(sizeof full - sizeof "bfloat16 "), name);
    if (c->is_depthwise || !is_wanted(b, full)) return TCS_OK;
    tcs_status status = job_init(b, &ours, err);
    if (status == TCS_OK) status = job_init(b, &single, err);
    if (status == TCS_OK) {
        contender contenders[] = { { "ours", run_conv, &ours, 0 }, { "single", run_conv, &single, 0 } };
        take_turns(b, contenders, 2);
        report(b, full, 2 * (double)(c->batch * c->length) * (double)ours.w.count, contenders, 2);
    }
    job_deinit(&ours);
    job_deinit(&single);
    return status;
}

/* ---- all ---- */

/* Convolutions take no pool: their callers cut batches. */
static tcs_status run_all(bench *b, tcs_error *err)
{
    tcs_status status = TCS_OK;
    peer_threads_set(b->thread_count);
    if (b->thread_count > 1) status = tcsi_pool_create(b->thread_count, &b->pool, err);
    for (size_t i = 0; i < TCS_COUNT(product_cases) && status == TCS_OK; i++) status = run_product(b, &product_cases[i], err);
    for (size_t i = 0; i < TCS_COUNT(conv_cases) && b->thread_count == 1; i++)
        for (int pass = 0; pass < CONV_PASS_COUNT && status == TCS_OK; pass++) status = run_pass(b, &conv_cases[i], (conv_pass)pass, err);
    const bool rounds = tcsi_isa_has_bfloat16(tcsi_isa_current()) && b->thread_count == 1;
    for (size_t i = 0; i < TCS_COUNT(product_cases) && status == TCS_OK && rounds; i++)
        status = run_product_rounded(b, &product_cases[i], err);
    for (size_t i = 0; i < TCS_COUNT(conv_cases) && rounds; i++)
        for (int pass = 0; pass < CONV_PASS_COUNT && status == TCS_OK; pass++)
            status = run_pass_rounded(b, &conv_cases[i], (conv_pass)pass, err);
    tcsi_pool_destroy(b->pool);
    b->pool = NULL;
    return status;
}

/* Peers' threads that wait by spinning take the processor from whoever has the next turn.  Both read this only when they are loaded. */
static void let_peers_sleep(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") && getenv("OPENBLAS_THREAD_TIMEOUT")) return;
    setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
    setenv("OPENBLAS_THREAD_TIMEOUT", "4", 0); /* 2^4 cycles */
    (void)execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    tcs_error err = { 0 };
    tcsi_buffer text;
    tcsi_json_writer writer;
    let_peers_sleep(argv);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, true);
    bench b = { .filter = argc > 2 ? argv[2] : NULL, .writer = &writer, .rng = tcsi_rng_make(1, 0) };
    printf("%s; medians; one thread by processor time, two by wall time\n", tcsi_isa_name(tcsi_isa_current()));
    tcsi_json_begin_array(&writer);
    tcs_status status = TCS_OK;
    for (b.thread_count = 1; b.thread_count <= 2 && b.thread_count <= tcsi_processor_count() && status == TCS_OK; b.thread_count++)
        status = run_all(&b, &err);
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, &err);
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], text.data, text.size, &err);
    if (status != TCS_OK) fprintf(stderr, "kernels_bench: %s\n", err.text);
    tcsi_buffer_deinit(&text);
    return status == TCS_OK ? 0 : 1;
}
