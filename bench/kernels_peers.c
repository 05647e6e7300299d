/* bench/kernels_peers.c -- the doors to OpenBLAS and oneDNN.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels_peers.h"

#include "base/alloc.h"

#include <dlfcn.h>

#ifdef TCSI_BENCH_OPENBLAS
#include <cblas.h>

static void openblas_multiply(const tcsi_gemm *g)
{
    cblas_sgemm(CblasRowMajor, g->a_transposed ? CblasTrans : CblasNoTrans, g->b_transposed ? CblasTrans : CblasNoTrans, (int)g->m,
                (int)g->n, (int)g->k, 1, g->a, (int)g->a_stride, g->b, (int)g->b_stride, 0, g->c, (int)g->c_stride);
}
#endif

#ifdef TCSI_BENCH_ONEDNN
#include <dnnl.h>

static void onednn_multiply(const tcsi_gemm *g)
{
    (void)dnnl_sgemm(g->a_transposed ? 'T' : 'N', g->b_transposed ? 'T' : 'N', (dnnl_dim_t)g->m, (dnnl_dim_t)g->n, (dnnl_dim_t)g->k, 1,
                     g->a, (dnnl_dim_t)g->a_stride, g->b, (dnnl_dim_t)g->b_stride, 0, g->c, (dnnl_dim_t)g->c_stride);
}
#endif

size_t peer_libraries(peer_library *ret_libraries)
{
    size_t count = 0;
    (void)ret_libraries;
#ifdef TCSI_BENCH_OPENBLAS
    ret_libraries[count++] = (peer_library){ "OpenBLAS", openblas_multiply };
#endif
#ifdef TCSI_BENCH_ONEDNN
    ret_libraries[count++] = (peer_library){ "oneDNN", onednn_multiply };
#endif
    return count;
}

/* oneDNN takes its number of threads from whatever OpenMP it was linked to, which is asked for by name. */
void peer_threads_set(size_t count)
{
#ifdef TCSI_BENCH_OPENBLAS
    openblas_set_num_threads((int)count);
#endif
    void *program = dlopen(NULL, RTLD_LAZY);
    void (*set)(int) = NULL;
    if (program) *(void **)&set = dlsym(program, "omp_set_num_threads");
    if (set) set((int)count);
    if (program) dlclose(program);
}

/* ---- products in bfloat16 ---- */

#ifdef TCSI_BENCH_ONEDNN

/* An operand, and the primitive that rounds it into the layout the product likes. */
typedef struct rounding {
    dnnl_memory_t from, to;
    dnnl_primitive_t primitive;
} rounding;

struct peer_rounded {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    rounding a, b;
    dnnl_memory_t c;
};

static bool rounding_init(peer_rounded *p, rounding *r, const float *values, dnnl_dim_t rows, dnnl_dim_t columns, bool is_transposed,
                          const dnnl_memory_desc_t *wanted)
{
    const dnnl_dims_t dims = { rows, columns };
    dnnl_memory_desc_t plain;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_memory_desc_init_by_tag(&plain, 2, dims, dnnl_f32, is_transposed ? dnnl_ba : dnnl_ab);
    const bool done = dnnl_memory_create(&r->from, &plain, p->engine, (void *)(uintptr_t)values) == dnnl_success &&
                      dnnl_memory_create(&r->to, wanted, p->engine, DNNL_MEMORY_ALLOCATE) == dnnl_success &&
                      dnnl_reorder_primitive_desc_create(&desc, &plain, p->engine, wanted, p->engine, NULL) == dnnl_success &&
                      dnnl_primitive_create(&r->primitive, desc) == dnnl_success;
    if (desc) dnnl_primitive_desc_destroy(desc);
    return done;
}

static void rounding_run(peer_rounded *p, const rounding *r)
{
    const dnnl_exec_arg_t arguments[] = { { DNNL_ARG_FROM, r->from }, { DNNL_ARG_TO, r->to } };
    dnnl_primitive_execute(r->primitive, p->stream, 2, arguments);
}

static void rounding_deinit(rounding *r)
{
    if (r->primitive) dnnl_primitive_destroy(r->primitive);
    if (r->from) dnnl_memory_destroy(r->from);
    if (r->to) dnnl_memory_destroy(r->to);
}

static bool rounded_init(peer_rounded *p, const tcsi_gemm *g)
{
    const dnnl_dim_t m = (dnnl_dim_t)g->m, n = (dnnl_dim_t)g->n, k = (dnnl_dim_t)g->k;
    const dnnl_dims_t a_dims = { m, k }, b_dims = { k, n }, c_dims = { m, n };
    dnnl_memory_desc_t a, b, c;
    dnnl_matmul_desc_t matmul;
    dnnl_memory_desc_init_by_tag(&a, 2, a_dims, dnnl_bf16, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&b, 2, b_dims, dnnl_bf16, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(&c, 2, c_dims, dnnl_f32, dnnl_ab);
    return dnnl_engine_create(&p->engine, dnnl_cpu, 0) == dnnl_success &&
           dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags) == dnnl_success &&
           dnnl_matmul_desc_init(&matmul, &a, &b, NULL, &c) == dnnl_success &&
           dnnl_primitive_desc_create(&p->desc, &matmul, NULL, p->engine, NULL) == dnnl_success &&
           dnnl_primitive_create(&p->primitive, p->desc) == dnnl_success &&
           dnnl_memory_create(&p->c, &c, p->engine, g->c) == dnnl_success &&
           rounding_init(p, &p->a, g->a, m, k, g->a_transposed, dnnl_primitive_desc_query_md(p->desc, dnnl_query_src_md, 0)) &&
           rounding_init(p, &p->b, g->b, k, n, g->b_transposed, dnnl_primitive_desc_query_md(p->desc, dnnl_query_weights_md, 0));
}

peer_rounded *peer_rounded_create(const tcsi_gemm *gemm)
{
    peer_rounded *p = TCSI_NEW(peer_rounded);
    if (!p || rounded_init(p, gemm)) return p;
    peer_rounded_destroy(p);
    return NULL;
}

void peer_rounded_run(peer_rounded *p)
{
    const dnnl_exec_arg_t arguments[] = { { DNNL_ARG_SRC, p->a.to }, { DNNL_ARG_WEIGHTS, p->b.to }, { DNNL_ARG_DST, p->c } };
    rounding_run(p, &p->a);
    rounding_run(p, &p->b);
    dnnl_primitive_execute(p->primitive, p->stream, 3, arguments);
    dnnl_stream_wait(p->stream);
}

void peer_rounded_destroy(peer_rounded *p)
{
    if (!p) return;
    rounding_deinit(&p->a);
    rounding_deinit(&p->b);
    if (p->c) dnnl_memory_destroy(p->c);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->desc) dnnl_primitive_desc_destroy(p->desc);
    if (p->stream) dnnl_stream_destroy(p->stream);
    if (p->engine) dnnl_engine_destroy(p->engine);
    tcsi_free(p);
}

#else

struct peer_rounded {
    int unused;
};

peer_rounded *peer_rounded_create(const tcsi_gemm *gemm)
{
    (void)gemm;
    return NULL;
}

void peer_rounded_run(peer_rounded *p)
{
    (void)p;
}

void peer_rounded_destroy(peer_rounded *p)
{
    (void)p;
}

#endif

/* ---- convolution ---- */

#ifdef TCSI_BENCH_ONEDNN

enum { ARGUMENTS_MAX = 4 };

struct peer_conv {
    conv_pass pass;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t forward, gradient; /* gradients are chosen with the forward pass as a hint */
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t x, plain_w, bias, y;  /* as our arrays lie */
    dnnl_memory_t memory_x, memory_plain_w, memory_w, memory_bias, memory_y;
    dnnl_exec_arg_t arguments[ARGUMENTS_MAX];
    int argument_count;
};

static void describe(peer_conv *p, const tcsi_conv *conv, size_t batch, dnnl_memory_desc_t *ret_any_w)
{
    const dnnl_dim_t c = (dnnl_dim_t)conv->channels_in, o = (dnnl_dim_t)conv->channels_out, k = (dnnl_dim_t)conv->kernel;
    const dnnl_dims_t x = { (dnnl_dim_t)batch, c, (dnnl_dim_t)conv->length_in }, y = { (dnnl_dim_t)batch, o, (dnnl_dim_t)conv->length_out };
    const dnnl_dims_t dense = { o, c, k }, depthwise = { c, 1, 1, k }, bias = { o };
    const bool deep = conv->is_depthwise;
    dnnl_memory_desc_init_by_tag(&p->x, 3, x, dnnl_f32, dnnl_nwc);
    dnnl_memory_desc_init_by_tag(&p->y, 3, y, dnnl_f32, dnnl_nwc);
    dnnl_memory_desc_init_by_tag(&p->bias, 1, bias, dnnl_f32, dnnl_a);
    dnnl_memory_desc_init_by_tag(&p->plain_w, deep ? 4 : 3, deep ? depthwise : dense, dnnl_f32, deep ? dnnl_wigo : dnnl_wio);
    dnnl_memory_desc_init_by_tag(ret_any_w, deep ? 4 : 3, deep ? depthwise : dense, dnnl_f32, dnnl_format_tag_any);
}

static dnnl_status_t choose_forward(peer_conv *p, const dnnl_convolution_desc_t *desc)
{
    dnnl_primitive_attr_t attributes;
    dnnl_post_ops_t operations;
    dnnl_primitive_attr_create(&attributes);
    dnnl_post_ops_create(&operations);
    dnnl_post_ops_append_eltwise(operations, 1, dnnl_eltwise_relu, 0, 0);
    if (p->pass == CONV_FORWARD) dnnl_primitive_attr_set_post_ops(attributes, operations);
    dnnl_status_t status = dnnl_primitive_desc_create(&p->forward, desc, attributes, p->engine, NULL);
    dnnl_post_ops_destroy(operations);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

static dnnl_status_t choose(peer_conv *p, const tcsi_conv *conv, const dnnl_memory_desc_t *w)
{
    const dnnl_dim_t reach = (dnnl_dim_t)((conv->kernel - 1) * conv->dilation + 1);
    const dnnl_dim_t right = (dnnl_dim_t)((conv->length_out - 1) * conv->stride) + reach - (dnnl_dim_t)(conv->length_in + conv->pad_left);
    const dnnl_dims_t stride = { (dnnl_dim_t)conv->stride }, dilation = { (dnnl_dim_t)conv->dilation - 1 };
    const dnnl_dims_t pad_left = { (dnnl_dim_t)conv->pad_left }, pad_right = { right };
    dnnl_convolution_desc_t forward, gradient;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct, &p->x, w,
                                                                      &p->bias, &p->y, stride, dilation, pad_left, pad_right);
    if (status == dnnl_success) status = choose_forward(p, &forward);
    if (status != dnnl_success || p->pass == CONV_FORWARD) return status;
    if (p->pass == CONV_INPUT_GRADIENT)
        status = dnnl_dilated_convolution_backward_data_desc_init(&gradient, dnnl_convolution_direct, &p->x, w, &p->y, stride, dilation,
                                                                  pad_left, pad_right);
    else
        status = dnnl_dilated_convolution_backward_weights_desc_init(&gradient, dnnl_convolution_direct, &p->x, w, &p->bias, &p->y, stride,
                                                                     dilation, pad_left, pad_right);
    return status == dnnl_success ? dnnl_primitive_desc_create(&p->gradient, &gradient, NULL, p->engine, p->forward) : status;
}

static void reorder(peer_conv *p, dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_memory_desc_t *from_desc = NULL, *to_desc = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_get_memory_desc(from, &from_desc);
    dnnl_memory_get_memory_desc(to, &to_desc);
    if (dnnl_reorder_primitive_desc_create(&desc, from_desc, p->engine, to_desc, p->engine, NULL) != dnnl_success) return;
    const dnnl_exec_arg_t arguments[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
    if (dnnl_primitive_create(&primitive, desc) == dnnl_success) dnnl_primitive_execute(primitive, p->stream, 2, arguments);
    dnnl_stream_wait(p->stream);
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(desc);
}

static void argument_add(peer_conv *p, int name, dnnl_memory_t memory)
{
    p->arguments[p->argument_count++] = (dnnl_exec_arg_t){ name, memory };
}

static void arguments_make(peer_conv *p)
{
    argument_add(p, p->pass == CONV_INPUT_GRADIENT ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, p->memory_x);
    argument_add(p, p->pass == CONV_WEIGHT_GRADIENT ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, p->memory_w);
    argument_add(p, p->pass == CONV_FORWARD ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, p->memory_y);
    if (p->pass == CONV_FORWARD) argument_add(p, DNNL_ARG_BIAS, p->memory_bias);
    if (p->pass == CONV_WEIGHT_GRADIENT) argument_add(p, DNNL_ARG_DIFF_BIAS, p->memory_bias);
}

peer_conv *peer_conv_create(conv_pass pass, const tcsi_conv *conv, size_t batch, const peer_conv_arrays *arrays)
{
    dnnl_memory_desc_t any_w;
    peer_conv *p = TCSI_NEW(peer_conv);
    if (!p) return NULL;
    p->pass = pass;
    describe(p, conv, batch, &any_w);
    if (dnnl_engine_create(&p->engine, dnnl_cpu, 0) != dnnl_success || choose(p, conv, &any_w) != dnnl_success ||
        dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags) != dnnl_success ||
        dnnl_primitive_create(&p->primitive, p->gradient ? p->gradient : p->forward) != dnnl_success) {
        peer_conv_destroy(p);
        return NULL;
    }
    const dnnl_query_t query = pass == CONV_WEIGHT_GRADIENT ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    const dnnl_memory_desc_t *liked = dnnl_primitive_desc_query_md(p->gradient ? p->gradient : p->forward, query, 0);
    dnnl_memory_create(&p->memory_x, &p->x, p->engine, arrays->x);
    dnnl_memory_create(&p->memory_y, &p->y, p->engine, arrays->y);
    dnnl_memory_create(&p->memory_bias, &p->bias, p->engine, arrays->bias);
    dnnl_memory_create(&p->memory_plain_w, &p->plain_w, p->engine, arrays->w);
    dnnl_memory_create(&p->memory_w, liked, p->engine, DNNL_MEMORY_ALLOCATE);
    if (pass != CONV_WEIGHT_GRADIENT) reorder(p, p->memory_plain_w, p->memory_w);
    arguments_make(p);
    return p;
}

void peer_conv_run(peer_conv *p)
{
    dnnl_primitive_execute(p->primitive, p->stream, p->argument_count, p->arguments);
    dnnl_stream_wait(p->stream);
}

void peer_conv_finish(peer_conv *p)
{
    if (p->pass == CONV_WEIGHT_GRADIENT) reorder(p, p->memory_w, p->memory_plain_w);
}

void peer_conv_destroy(peer_conv *p)
{
    if (!p) return;
    dnnl_memory_t memories[] = { p->memory_x, p->memory_plain_w, p->memory_w, p->memory_bias, p->memory_y };
    for (size_t i = 0; i < TCS_COUNT(memories); i++)
        if (memories[i]) dnnl_memory_destroy(memories[i]);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->gradient) dnnl_primitive_desc_destroy(p->gradient);
    if (p->forward) dnnl_primitive_desc_destroy(p->forward);
    if (p->stream) dnnl_stream_destroy(p->stream);
    if (p->engine) dnnl_engine_destroy(p->engine);
    tcsi_free(p);
}

#else

struct peer_conv {
    int unused;
};

peer_conv *peer_conv_create(conv_pass pass, const tcsi_conv *conv, size_t batch, const peer_conv_arrays *arrays)
{
    (void)pass, (void)conv, (void)batch, (void)arrays;
    return NULL;
}

void peer_conv_run(peer_conv *p)
{
    (void)p;
}

void peer_conv_finish(peer_conv *p)
{
    (void)p;
}

void peer_conv_destroy(peer_conv *p)
{
    (void)p;
}

#endif
