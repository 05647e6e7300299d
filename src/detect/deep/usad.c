/* detect/deep/usad.c -- windows that two autoencoders, trained against each other, do not give back.
 *
 * One encoder E, two decoders: a(x) = D1(E(x)), b(x) = D2(E(x)).  Both learn to give windows back; besides, D2 learns to tell a window from
 * a's picture of it, by giving the picture's picture b(a(x)) back badly, and a learns to deceive it (USAD: J. Audibert, P. Michiardi,
 * F. Guyard, S. Marti, M. A. Zuluaga, "USAD: unsupervised anomaly detection on multivariate time series", KDD 2020, equations 5 to 7).  In
 * the n-th epoch, with mean squared errors
 *
 *     E, D1 make small     1/n |x - a(x)|^2 + (1 - 1/n) |x - b(a(x))|^2
 *     E, D2 make small     1/n |x - b(x)|^2 - (1 - 1/n) |x - b(a(x))|^2
 *     error of a value     (1 - beta) (x - a(x))^2 + beta (x - b(a(x)))^2
 *
 * As published, with n the number of the epoch, almost all of training would be the contest; here 1/n falls evenly from 1 to 2/3, which is
 * better by far (docs/internals/deep.md).  beta is high where few anomalies are to be missed.  The net's output is x less the root of that
 * error, so that reconstruction.h, which has the rest, finds it again.  Finds and misses: as autoencoder; small departures are said to be
 * made larger.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

enum { ENCODER, FIRST, SECOND };
static const float bound_max = 4;
static const double rivalry = 1.0 / 3;

typedef struct decoder {
    tcsi_node_id wide, narrow; /* the layers, to be shared */
} decoder;

/* The same layers on another input. */
static tcsi_node_id again(tcsi_net *net, decoder layers, tcsi_node_id x)
{
    const tcsi_node_id h = tcsi_net_share(net, layers.wide, &x, 1);
    return tcsi_net_share(net, layers.narrow, &h, 1);
}

static decoder two_layers(tcsi_net *net, const char *name, tcsi_node_id x, const size_t *units, tcsi_activation last)
{
    tcsi_net_scope(net, "%s.0", name);
    const tcsi_node_id h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = units[0], .activation = TCSI_ACTIVATION_RELU });
    tcsi_net_scope(net, "%s.1", name);
    return (decoder){ h, tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = units[1], .activation = last }) };
}

/* A picture stays within +- bound_max deviations (the authors': in [0, 1]), or D2 could make its error as large as it likes. */
static tcsi_node_id bound(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_nn_scale(net, tcsi_nn_unary(net, tcsi_nn_scale(net, x, 1 / bound_max), TCSI_UNARY_TANH), bound_max);
}

/* share (x + y) - y or share (x - y) + y: a loss that moves from x alone to y alone, or to its opposite, as share goes from 1 to 0. */
static tcsi_node_id moving_loss(tcsi_net *net, tcsi_node_id share, tcsi_node_id x, tcsi_node_id y, float sign)
{
    const tcsi_node_id both = tcsi_nn_loss_sum(net, (tcsi_node_id[]){ x, y }, (float[]){ 1, -sign }, 2);
    return tcsi_nn_loss_sum(net, (tcsi_node_id[]){ tcsi_nn_multiply(net, both, share), y }, (float[]){ 1, sign }, 2);
}

/* x - sqrt((1 - beta) (x - a)^2 + beta (x - b)^2) */
static tcsi_node_id less_error(tcsi_net *net, tcsi_node_id x, tcsi_node_id a, tcsi_node_id b, float beta)
{
    const tcsi_node_id to_a = tcsi_nn_unary(net, tcsi_nn_add(net, x, tcsi_nn_scale(net, a, -1)), TCSI_UNARY_SQUARE);
    const tcsi_node_id to_b = tcsi_nn_unary(net, tcsi_nn_add(net, x, tcsi_nn_scale(net, b, -1)), TCSI_UNARY_SQUARE);
    const tcsi_node_id error = tcsi_nn_add(net, tcsi_nn_scale(net, to_a, 1 - beta), tcsi_nn_scale(net, to_b, beta));
    return tcsi_nn_add(net, x, tcsi_nn_scale(net, tcsi_nn_unary(net, error, TCSI_UNARY_SQRT), -1));
}

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_node_id share = tcsi_nn_input(net, 1, 1), flat = tcsi_nn_flatten(net, x);
    const size_t in[] = { opt->hidden, opt->latent }, out[] = { opt->hidden, tcsi_net_shape(net, flat).channels };
    tcsi_net_group(net, ENCODER);
    const decoder encoder = two_layers(net, "encoder", flat, in, TCSI_ACTIVATION_RELU);
    tcsi_net_group(net, FIRST);
    const decoder first = two_layers(net, "first", encoder.narrow, out, TCSI_ACTIVATION_NONE);
    tcsi_net_group(net, SECOND);
    const decoder second = two_layers(net, "second", encoder.narrow, out, TCSI_ACTIVATION_NONE);
    const tcsi_node_id picture = bound(net, first.narrow), shown = bound(net, again(net, second, again(net, encoder, picture)));
    const tcsi_node_id a = tcsi_nn_unflatten(net, picture, opt->steps), ba = tcsi_nn_unflatten(net, shown, opt->steps);
    const tcsi_node_id b = tcsi_nn_unflatten(net, bound(net, second.narrow), opt->steps), deceived = tcsi_nn_loss_squared(net, ba, target);
    return (tcsi_window_net_nodes){
        .output = less_error(net, target, a, ba, (float)opt->emphasis), /* not x, of which dropout leaves values out */
        .loss = moving_loss(net, share, tcsi_nn_loss_squared(net, a, target), deceived, 1),
        .rival_loss = moving_loss(net, share, tcsi_nn_loss_squared(net, b, target), deceived, -1),
        .rivalry = rivalry, .groups = 1u << ENCODER | 1u << FIRST, .rival_groups = 1u << ENCODER | 1u << SECOND,
    };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_WINDOW_NET_PARAMETERS(64, 8, 180, 3e-3),
    { "beta", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 0.5, 0, 1, "share of the second picture in the error" },
};
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_usad = {
    .name = "usad",
    .title = "two adversarial autoencoders of windows",
    .paper = "J. Audibert, P. Michiardi, F. Guyard, S. Marti, M. A. Zuluaga: USAD: unsupervised anomaly detection on multivariate time "
             "series. KDD 2020, equations 5 to 7",
    .summary = "Error with which two autoencoders with one encoder, trained against each other, give windows back. Finds unusual shapes "
               "and broken relations between channels; misses what happens often enough to be learned.",
    TCSI_RECONSTRUCTION_INFO(0), /* adversaries have no head that could be adapted to a series */
};
