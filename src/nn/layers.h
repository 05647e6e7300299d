/* nn/layers.h -- the functions that build a net: one per operation.
 *
 * Each appends a node and returns its id, or TCSI_NODE_NONE once something was wrong (tcsi_net_finish says what).  Shapes are
 * (B,T,C): rows, steps, channels.  Weights are named by the current scope ("scope.weight"); layouts are given in row-major order.
 * Options are copied; a zeroed options struct means the defaults that are stated. */
#ifndef TCS_NN_LAYERS_H
#define TCS_NN_LAYERS_H

#include "kernels/activation.h"
#include "kernels/vector.h"
#include "nn/net.h"

/* What the caller brings with each run, (B,T,C). */
tcsi_node_id tcsi_nn_input(tcsi_net *net, size_t length, size_t channels);

/* y (B,T,U) = activation(x (B,T,C) weight (C,U) + bias (U) + residual (B,T,U)).  Initial values: PyTorch's. */
typedef struct tcsi_dense_options {
    size_t units;                /* U */
    tcsi_activation activation;
    bool without_bias;
} tcsi_dense_options;
tcsi_node_id tcsi_nn_dense(tcsi_net *net, tcsi_node_id x, const tcsi_dense_options *options);
tcsi_node_id tcsi_nn_dense_residual(tcsi_net *net, tcsi_node_id x, tcsi_node_id residual, const tcsi_dense_options *options);

/* y (B,U,O) = activation(convolution of x (B,T,C) with weight (K,C,O) + bias (O) + residual (B,U,O)); depthwise: weight (K,C).
 * Causal: step t sees t and before; same: centred (the longer half before); valid: only whole windows.  U = ceil(T / stride) with padding,
 * floor((T - (K-1) dilation - 1) / stride) + 1 without. */
typedef enum tcsi_padding { TCSI_PADDING_CAUSAL, TCSI_PADDING_SAME, TCSI_PADDING_VALID } tcsi_padding;
typedef struct tcsi_conv_options {
    size_t channels;             /* O; depthwise: 0 or C */
    size_t kernel;               /* K >= 1 */
    size_t dilation, stride;     /* 0: 1 */
    tcsi_padding padding;
    tcsi_activation activation;
    bool is_depthwise, without_bias;
} tcsi_conv_options;
tcsi_node_id tcsi_nn_conv(tcsi_net *net, tcsi_node_id x, const tcsi_conv_options *options);
tcsi_node_id tcsi_nn_conv_residual(tcsi_net *net, tcsi_node_id x, tcsi_node_id residual, const tcsi_conv_options *options);

/* y (B,U,O) = the convolution (B,U,O) -> (B,T,C) the other way, activated; weight (K,O,C), depthwise (K,C), bias (O).  Options as there;
 * causal: U = T stride, step u sees t <= u / stride; same: U = T stride, centred; valid: U = (T-1) stride + (K-1) dilation + 1, all of
 * it.  PyTorch's ConvTranspose1d with weight (C,O,K), cut to U. */
tcsi_node_id tcsi_nn_conv_transposed(tcsi_net *net, tcsi_node_id x, const tcsi_conv_options *options);

/* ---- element by element ---- */

tcsi_node_id tcsi_nn_unary(tcsi_net *net, tcsi_node_id x, tcsi_unary f);    /* f(x) */
tcsi_node_id tcsi_nn_scale(tcsi_net *net, tcsi_node_id x, float factor);    /* factor x */
tcsi_node_id tcsi_nn_add(tcsi_net *net, tcsi_node_id a, tcsi_node_id b);    /* a + b, of one shape */
tcsi_node_id tcsi_nn_multiply(tcsi_net *net, tcsi_node_id a, tcsi_node_id b);
tcsi_node_id tcsi_nn_detach(tcsi_net *net, tcsi_node_id x);                 /* x; no gradient passes */
tcsi_node_id tcsi_nn_oppose(tcsi_net *net, tcsi_node_id x);                 /* x; its gradient comes back with the other sign */
/* In runs that draw (is_stochastic): 0 with probability rate in [0, 1), else x / (1 - rate).  Otherwise x. */
tcsi_node_id tcsi_nn_dropout(tcsi_net *net, tcsi_node_id x, float rate);

/* ---- channels of a step ---- */

tcsi_node_id tcsi_nn_concat(tcsi_net *net, const tcsi_node_id *inputs, size_t count); /* side by side; at most TCSI_INPUT_MAX */
tcsi_node_id tcsi_nn_slice(tcsi_net *net, tcsi_node_id x, size_t begin, size_t count); /* channels [begin, begin + count) */
tcsi_node_id tcsi_nn_reverse(tcsi_net *net, tcsi_node_id x);                           /* channel C - 1 - c at c */
tcsi_node_id tcsi_nn_softmax(tcsi_net *net, tcsi_node_id x);                           /* positive, sum 1 over channels */

/* ---- steps of a window ---- */

tcsi_node_id tcsi_nn_steps(tcsi_net *net, tcsi_node_id x, size_t begin, size_t count); /* steps [begin, begin + count) */
tcsi_node_id tcsi_nn_last(tcsi_net *net, tcsi_node_id x);                              /* (B,1,C): the last step */
tcsi_node_id tcsi_nn_repeat(tcsi_net *net, tcsi_node_id x, size_t length);             /* (B,1,C) at every one of length steps */
tcsi_node_id tcsi_nn_reshape(tcsi_net *net, tcsi_node_id x, size_t length, size_t channels); /* the same numbers in the same order */
tcsi_node_id tcsi_nn_flatten(tcsi_net *net, tcsi_node_id x);                           /* (B,1,T C) */
tcsi_node_id tcsi_nn_unflatten(tcsi_net *net, tcsi_node_id x, size_t length);          /* (B,1,T C) -> (B,length,T C / length) */

/* The mean or maximum of each window of steps: U = floor((T - window) / stride) + 1.  Not for streams. */
typedef struct tcsi_pool_options {
    size_t window;               /* 0: all T steps */
    size_t stride;               /* 0: window */
    bool is_max;
} tcsi_pool_options;
tcsi_node_id tcsi_nn_pool(tcsi_net *net, tcsi_node_id x, const tcsi_pool_options *options);
tcsi_node_id tcsi_nn_global_mean(tcsi_net *net, tcsi_node_id x); /* (B,1,C) */
tcsi_node_id tcsi_nn_global_max(tcsi_net *net, tcsi_node_id x);  /* (B,1,C) */
tcsi_node_id tcsi_nn_mean(tcsi_net *net, tcsi_node_id x);        /* (B,1,1): over steps and channels */

/* ---- normalization ---- */

/* y = (x - mean) / sqrt(variance + epsilon) * gain (C) + shift (C), over the channels of each step. */
typedef struct tcsi_layer_norm_options {
    float epsilon;               /* 0: 1e-5 */
} tcsi_layer_norm_options;
tcsi_node_id tcsi_nn_layer_norm(tcsi_net *net, tcsi_node_id x, const tcsi_layer_norm_options *options);

/* The same over all rows and steps, per channel; training runs move the running mean (C) and variance (C), other runs use them. */
typedef struct tcsi_batch_norm_options {
    float epsilon;               /* 0: 1e-5 */
    double momentum;             /* 0: 0.1; running += momentum (batch - running) */
} tcsi_batch_norm_options;
tcsi_node_id tcsi_nn_batch_norm(tcsi_net *net, tcsi_node_id x, const tcsi_batch_norm_options *options);

/* The same over the steps of each window, per channel (RevIN: Kim et al. 2022), epsilon 1e-5; the statistics (B,2,C), mean and
 * deviation, let no gradient pass.  denorm takes (B,U,C) back to the scale of norm's input, with norm's statistics and weights. */
tcsi_node_id tcsi_nn_instance_norm(tcsi_net *net, tcsi_node_id x, tcsi_node_id *ret_statistics);
tcsi_node_id tcsi_nn_instance_denorm(tcsi_net *net, tcsi_node_id x, tcsi_node_id norm);

/* ---- memory and attention ---- */

/* All hidden states (B,T,H).  weight_input (C,G H), weight_hidden (H,G H), bias_input (G H), bias_hidden (G H), gates in PyTorch's order:
 * i, f, g, o (LSTM, G = 4) or r, z, n (GRU, G = 3). */
tcsi_node_id tcsi_nn_lstm(tcsi_net *net, tcsi_node_id x, size_t hidden);
tcsi_node_id tcsi_nn_gru(tcsi_net *net, tcsi_node_id x, size_t hidden);

/* softmax(q k' / sqrt(D/H)) v of H heads, (B,T,D) from queries, keys and values side by side (B,T,3D).  Saves the softmax, (B,H,T,T):
 * name the node among a plan's kept ones and tcsi_plan_saved shows it. */
typedef struct tcsi_attention_options {
    size_t head_count;           /* H, divides D */
    bool is_causal;              /* a step sees itself and earlier ones */
} tcsi_attention_options;
tcsi_node_id tcsi_nn_attention(tcsi_net *net, tcsi_node_id x, const tcsi_attention_options *options);
/* The layer: dense to (B,T,3C), attention, dense to (B,T,C), with first values as dense layers have them.  ret_attention: the node that
 * saves the softmax, or NULL. */
tcsi_node_id tcsi_nn_self_attention(tcsi_net *net, tcsi_node_id x, const tcsi_attention_options *options, tcsi_node_id *ret_attention);

/* (B,T,copies), the same in every channel: how far each step's attention is from attention to its neighbourhood, in nats, from queries and
 * keys side by side (B,T,2D) and raw widths of neighbourhoods (B,T,heads) (Xu et al. 2022).  copies >= 1. */
tcsi_node_id tcsi_nn_association(tcsi_net *net, tcsi_node_id pairs, tcsi_node_id widths, size_t copies);

/* The Transformer's encoder block, (B,T,C) -> (B,T,C); nn/transformer.c has its formulas. */
typedef struct tcsi_transformer_options {
    size_t head_count;           /* divides C */
    size_t hidden;               /* of the feed-forward part; 0: 4 C */
    bool is_causal, norm_first, is_gelu; /* is_gelu: GELU instead of ReLU */
    float dropout;               /* after attention, inside and after the feed-forward part */
} tcsi_transformer_options;
tcsi_node_id tcsi_nn_transformer(tcsi_net *net, tcsi_node_id x, const tcsi_transformer_options *options, tcsi_node_id *ret_attention);

/* ---- time and kinds ---- */

tcsi_node_id tcsi_nn_position_sinusoidal(tcsi_net *net, tcsi_node_id x); /* x + sines and cosines of the step's number */
tcsi_node_id tcsi_nn_position_learned(tcsi_net *net, tcsi_node_id x);    /* x + position (T,C), first values within +- 0.02 */
/* Time2Vec (Kazemi et al. 2019), (B,T,C units): frequency (C,units), phase (C,units), first values within +- 1. */
tcsi_node_id tcsi_nn_time2vec(tcsi_net *net, tcsi_node_id x, size_t units);

/* y (B,T,units) = weight (count,units) at the whole number 0 .. count - 1 in a channel of x, an input of the net.  tcsi_plan_check says
 * when it is none; an unchecked run gives NaN there. */
typedef struct tcsi_embedding_options {
    size_t count, units, channel;
} tcsi_embedding_options;
tcsi_node_id tcsi_nn_embedding(tcsi_net *net, tcsi_node_id x, const tcsi_embedding_options *options);

/* ---- losses: (B,1,1), the mean over those elements of a row whose target is a number.  A target of NaN is missing and left out; a row
 *      with nothing but missing targets has loss 0.  No gradient flows to the target. ---- */

/* mean (y - target)^2 */
tcsi_node_id tcsi_nn_loss_squared(tcsi_net *net, tcsi_node_id y, tcsi_node_id target);
/* mean |y - target| */
tcsi_node_id tcsi_nn_loss_absolute(tcsi_net *net, tcsi_node_id y, tcsi_node_id target);
/* mean of d^2 / 2 up to delta > 0, delta (|d| - delta / 2) beyond: PyTorch's HuberLoss */
tcsi_node_id tcsi_nn_loss_huber(tcsi_net *net, tcsi_node_id y, tcsi_node_id target, float delta);

/* ---- predicted distributions: heads, their losses, draws from them.  C is the number of values that are predicted. ---- */

/* Predicted spreads are kept within these limits wherever they are used: outside, the value is that of the limit, and a gradient passes
 * only when it leads back. */
#define TCSI_NN_LOG_VARIANCE_MIN (-13.8155106f) /* log 1e-6: the floor of torch.nn.GaussianNLLLoss */
#define TCSI_NN_LOG_VARIANCE_MAX 20.0f
#define TCSI_NN_SCALE_MIN 1e-3f
#define TCSI_NN_DEGREES_MIN 0.1f
#define TCSI_NN_DEGREES_MAX 1e9f

/* A dense layer with outputs [mean (C) | log variance (C)]; the log variance clamped, or log(softplus(raw) + 1e-6). */
typedef struct tcsi_gaussian_head_options {
    size_t units;                /* C */
    bool is_softplus;
} tcsi_gaussian_head_options;
tcsi_node_id tcsi_nn_gaussian_head(tcsi_net *net, tcsi_node_id x, const tcsi_gaussian_head_options *options);
/* Mean of (log variance + (target - mean)^2 / variance) / 2: GaussianNLLLoss, without its constant.  x: [mean | log variance] */
tcsi_node_id tcsi_nn_loss_gaussian(tcsi_net *net, tcsi_node_id x, tcsi_node_id target);

/* A dense layer with outputs [location (C) | scale (C)] and, when learned, [degrees of freedom (C)]: softplus(raw) + 1e-3 and + 2. */
typedef struct tcsi_student_head_options {
    size_t units;                /* C */
    bool learns_degrees;
} tcsi_student_head_options;
tcsi_node_id tcsi_nn_student_head(tcsi_net *net, tcsi_node_id x, const tcsi_student_head_options *options);
/* Mean of -log of the Student density of the target.  x: [location | scale], or with degrees = 0 [location | scale | degrees]. */
tcsi_node_id tcsi_nn_loss_student(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, float degrees);

/* A dense layer with outputs [first quantile (C) | second (C) | ...] that do not cross.  (Where they may, a dense layer will do.) */
typedef struct tcsi_quantile_head_options {
    size_t units, quantile_count; /* C; 1 or more */
} tcsi_quantile_head_options;
tcsi_node_id tcsi_nn_quantile_head(tcsi_net *net, tcsi_node_id x, const tcsi_quantile_head_options *options);
/* Mean over elements and levels of the pinball loss.  y: [quantile of levels[0] (C) | ...] */
enum { TCSI_QUANTILE_MAX = 15 };
typedef struct tcsi_quantiles {
    size_t count;
    float levels[TCSI_QUANTILE_MAX]; /* in (0, 1), ascending for a quantile head */
} tcsi_quantiles;
tcsi_node_id tcsi_nn_loss_quantile(tcsi_net *net, tcsi_node_id y, tcsi_node_id target, const tcsi_quantiles *quantiles);

/* z (B,T,C) = mean + exp(log variance / 2) noise of x (B,T,2C) = [mean | log variance]; the mean when a run is not stochastic. */
tcsi_node_id tcsi_nn_sample(tcsi_net *net, tcsi_node_id x);
/* Divergence of that distribution from the standard normal, summed over a row, in nats.  Beside a mean over D elements, the coefficient
 * 1 / D makes both the evidence bound. */
tcsi_node_id tcsi_nn_loss_divergence(tcsi_net *net, tcsi_node_id x);

/* ---- losses of scores and labels ---- */

/* Mean binary cross entropy of logits x against targets in [0, 1]: BCEWithLogitsLoss; or against one target for all. */
tcsi_node_id tcsi_nn_loss_logits(tcsi_net *net, tcsi_node_id x, tcsi_node_id target);
tcsi_node_id tcsi_nn_loss_logits_all(tcsi_net *net, tcsi_node_id x, float target);
/* Mean focal loss, weighted by class, on logits adjusted by adjustment log(base_rate / (1 - base_rate)); x itself is the score.
 * Against one target for all, likewise. */
typedef struct tcsi_focal_options {
    float gamma;                 /* 0: plain cross entropy; Lin et al. 2 */
    float tolerance;             /* q: (1 - p^q) / q for each -log p; 0: that itself; 1: what is wrong is at most 1, labels or net */
    float class_weight;          /* alpha of yes, 1 - alpha of no; 0: both 1; Lin et al. 0.25 */
    float base_rate;             /* share of yes, in (0, 1); 0: not adjusted */
    float adjustment;            /* tau; 0: 1 */
} tcsi_focal_options;
tcsi_node_id tcsi_nn_loss_focal(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_focal_options *options);
tcsi_node_id tcsi_nn_loss_focal_all(tcsi_net *net, tcsi_node_id x, float target, const tcsi_focal_options *options);
/* The loss of rows called yes (label 1) or nothing (0), a share of which is yes, too; from what each row costs as yes and as no, all
 * (B,1,1).  It needs the whole batch.  The share, in [0, 1), is a state, 0 until it is set. */
tcsi_node_id tcsi_nn_loss_unlabelled(tcsi_net *net, tcsi_node_id as_yes, tcsi_node_id as_no, tcsi_node_id label);
void tcsi_nn_unlabelled_set_share(tcsi_net *net, tcsi_node_id loss, float share);
/* Mean of |dev| for label 0, max(0, margin - dev) for label 1: dev is the score x in deviations of a reference drawn in each run. */
typedef struct tcsi_deviation_options {
    float margin;                /* 0: 5 */
    size_t reference_count;      /* 0: 5,000 */
} tcsi_deviation_options;
tcsi_node_id tcsi_nn_loss_deviation(tcsi_net *net, tcsi_node_id x, tcsi_node_id label, const tcsi_deviation_options *options);

/* Steps with a target of 1/2 or more should score above all others, target NaN aside, s and target (B,T,1):
 * mean of softplus(u + margin - s) over them, u = log of the mean of exp(s) over the others; 0 where one kind is missing. */
tcsi_node_id tcsi_nn_loss_rank(tcsi_net *net, tcsi_node_id s, tcsi_node_id target, float margin);

/* |z - centre|^2 (B,1,1), z (B,T,C) taken as one point: a score, and the loss of Deep SVDD.  The centre is a state, 0 until it is set. */
tcsi_node_id tcsi_nn_sphere(tcsi_net *net, tcsi_node_id z);
/* After tcsi_net_finish: the mean of z (row_count,T,C) of the untrained net, no coordinate nearer to 0 than 0.1.  row_count >= 1. */
void tcsi_nn_sphere_set_center(tcsi_net *net, tcsi_node_id sphere, size_t row_count, const float *z);
/* radius^2 + max(0, sphere - radius^2) / nu; the radius is a state, 0 until it is set to the 1 - nu quantile of sqrt(sphere). */
tcsi_node_id tcsi_nn_loss_soft_boundary(tcsi_net *net, tcsi_node_id sphere, float nu);
void tcsi_nn_sphere_set_radius(tcsi_net *net, tcsi_node_id boundary, float radius);
/* Label (B,1,1) 0: sphere; +1: eta sphere; -1: eta / sphere; missing: 0.  eta 0: 1. */
tcsi_node_id tcsi_nn_loss_sphere_labels(tcsi_net *net, tcsi_node_id sphere, tcsi_node_id label, float eta);

/* ---- losses that compare rows by the cosine between them, x (B,T,C) taken as vectors of T C.  They need the whole batch.  A row's
 *      weight is that of its own loss, and a row of weight 0 is nobody's partner.  A row alone has loss 0. ---- */

#define TCSI_NN_LENGTH_MIN 1e-8f /* a shorter vector has no direction: cosine 0, and no gradient */

/* -log of the share of exp(cos(a_i, b_i) / temperature) among all exp(cos(a_i, b_j) / temperature); temperature 0: 0.1. */
tcsi_node_id tcsi_nn_loss_infonce(tcsi_net *net, tcsi_node_id a, tcsi_node_id b, float temperature);
/* max(0, margin + cos distance to the positive - that to the farthest anchor of the batch); margin 0: 0.5. */
tcsi_node_id tcsi_nn_loss_farthest(tcsi_net *net, tcsi_node_id anchor, tcsi_node_id positive, float margin);
/* Not of the batch: max(0, margin + |anchor - positive| - |anchor - negative|): TripletMarginLoss; margin 0: 1. */
tcsi_node_id tcsi_nn_loss_triplet(tcsi_net *net, tcsi_node_id anchor, tcsi_node_id positive, tcsi_node_id negative, float margin);

/* coefficients[0] losses[0] + ..., at most TCSI_INPUT_MAX of them, (B,1,1) each; a loss with coefficient 0 does not count, even NaN. */
tcsi_node_id tcsi_nn_loss_sum(tcsi_net *net, const tcsi_node_id *losses, const float *coefficients, size_t count);

/* ---- weights that are distributions ---- */

/* y (B,T,U) = activation(x weight (C,U) + bias (U)), both drawn in each stochastic run as mean + softplus(rho) noise; else the means. */
typedef struct tcsi_bayes_options {
    size_t units;                /* U */
    tcsi_activation activation;
    bool without_bias;
    float start_deviation;       /* 0: 0.01 */
} tcsi_bayes_options;
tcsi_node_id tcsi_nn_bayes(tcsi_net *net, tcsi_node_id x, const tcsi_bayes_options *options);
/* Divergence of a bayes layer's weights from a normal prior with mean 0, in nats, the same for every row; prior_deviation 0: 1.  Its
 * coefficient is 1 / the rows of the training set. */
tcsi_node_id tcsi_nn_loss_bayes(tcsi_net *net, tcsi_node_id layer, float prior_deviation);

/* ---- flows: an invertible map to a standard normal distribution, each step t by itself ---- */

/* y = [first C/2 channels | others exp(s) + shift], s = bound tanh(raw / bound), parameters [raw (C - C/2) | shift (C - C/2)]; and back. */
tcsi_node_id tcsi_nn_coupling(tcsi_net *net, tcsi_node_id x, tcsi_node_id parameters, float bound);
tcsi_node_id tcsi_nn_coupling_inverse(tcsi_net *net, tcsi_node_id y, tcsi_node_id parameters, float bound);
/* (B,1,1): log |dy / dx| of a coupling, added to that of those before; TCSI_NODE_NONE: the first. */
tcsi_node_id tcsi_nn_log_det(tcsi_net *net, tcsi_node_id parameters, tcsi_node_id before, float bound);
/* -log density of a row, in nats: z (B,T,C) standard normal, log_det (B,1,1). */
tcsi_node_id tcsi_nn_loss_flow(tcsi_net *net, tcsi_node_id z, tcsi_node_id log_det);
/* z and its log determinant from x of 2 or more channels: couplings with parameters of two dense layers, channels reversed in between. */
typedef struct tcsi_flow_options {
    size_t coupling_count;       /* 0: 4 */
    size_t hidden;               /* units of the first dense layer; 0: 32 */
    float bound;                 /* 0: 2 */
} tcsi_flow_options;
tcsi_node_id tcsi_nn_flow(tcsi_net *net, tcsi_node_id x, const tcsi_flow_options *options, tcsi_node_id *ret_log_det);

#endif
