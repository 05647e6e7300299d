/* detect/deep/deep_svdd_tabular.c -- rows of a table that a network cannot pull together.
 *
 * deep_svdd.c for rows, with dense layers instead of convolutions, without biases like them (L. Ruff et al., "Deep one-class
 * classification", ICML 2018, equation 4): the score is the squared distance from the centre, which is where the untrained network puts
 * the rows on average.
 * one_number.h and window_net.h have the rest.
 * Finds: rows unlike the rest as a whole.  Misses: what the random first weights hardly see.  Parts: not known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/one_number.h"
#include "detect/deep/sphere.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_node_id distance = tcsi_sphere_row_distance(net, x, opt);
    (void)target;
    return (tcsi_window_net_nodes){ .output = distance, .loss = distance };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_one_number_init(base, build, tcsi_sphere_set_center, err);
}

static const tcsi_parameter parameters[] = { TCSI_TABLE_NET_PARAMETERS(64, 32, 20, 1e-4, 0) };
static const tcsi_detector_ops ops = TCSI_ONE_NUMBER_OPS(init);

const tcsi_detector_info tcsi_detector_deep_svdd_tabular = {
    .name = "deep_svdd_tabular",
    .title = "deep one-class classification of rows",
    .paper = "L. Ruff, R. Vandermeulen, N. Goernitz, L. Deecke, S. A. Siddiqui, A. Binder, E. Mueller, M. Kloft: Deep one-class "
             "classification. ICML 2018, equation 4",
    .summary = "Squared distance of a row from the centre around which a network without biases pulls the rows of a table. Finds rows "
               "unlike the rest as a whole; says nothing about channels.",
    TCSI_ONE_NUMBER_TABLE_INFO,
};
