/* detect/deep/deep_sad_tabular.c -- rows of a table that cannot be pulled together, or are like those that were pushed away.
 *
 * deep_sad.c for rows, with its loss (L. Ruff et al., "Deep semi-supervised anomaly detection", ICLR 2020, equation 7) on the network of
 * deep_svdd_tabular.c; what auto_tabular says of a row is one of its inputs where labels are learned from.  labelled.h has the rest.
 * Finds: rows like the labelled ones, and rows unlike the rest.  Parts: not known.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/labelled.h"
#include "detect/deep/sphere.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_node_id label = tcsi_nn_input(net, 1, 1), distance = tcsi_sphere_row_distance(net, x, opt);
    (void)target;
    return (tcsi_window_net_nodes){ .output = distance,
                                    .loss = tcsi_nn_loss_sphere_labels(net, distance, label, (float)opt->emphasis) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    static const tcsi_labelled_form form = { .build = build, .prepare = tcsi_sphere_set_center, .anomalous = -1 };
    return tcsi_labelled_init(base, &form, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_LABELLED_TABLE_PARAMETERS(64, 32, 60, 1e-3),
    { "eta", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 1, 1e-3, 1e6, "weight of labelled rows" },
};
static const tcsi_detector_ops ops = TCSI_LABELLED_OPS(init);

const tcsi_detector_info tcsi_detector_deep_sad_tabular = {
    .name = "deep_sad_tabular",
    .title = "deep one-class classification of rows, with a few labels",
    .paper = "L. Ruff, R. A. Vandermeulen, N. Goernitz, A. Binder, E. Mueller, K.-R. Mueller, M. Kloft: Deep semi-supervised anomaly "
             "detection. ICLR 2020, equation 7",
    .summary = "Squared distance of a row from the centre around which a network pulls the rows of a table, and from which it pushes those "
               "labelled anomalous. Finds what is like those and what is unlike everything; without labels deep_svdd_tabular does better.",
    TCSI_LABELLED_TABLE_INFO(0),
};
