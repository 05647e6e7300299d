/* detect/deep/devnet_tabular.c -- rows of a table that score like the labelled ones: far above what a score would be by chance.
 *
 * devnet.c for rows, with its loss (G. Pang, C. Shen, A. van den Hengel, "Deep anomaly detection with deviation networks", KDD 2019,
 * equations 6 and 7) on a dense network; what auto_tabular says of a row is one of its inputs.  labelled.h has the rest.
 * Finds: rows like the labelled ones.  Misses: kinds of anomalies of which none is labelled, but for what auto_tabular says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/labelled.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    (void)target;
    return tcsi_labelled_deviation(net, x, opt, tcsi_labelled_row_number);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    static const tcsi_labelled_form form = { .build = build, .anomalous = 1, .needs_labels = true };
    return tcsi_labelled_init(base, &form, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_LABELLED_TABLE_PARAMETERS(64, 16, 20, 3e-3),
    { "margin", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 5, 0.1, 1000, "deviations that a labelled row should score" },
};
static const tcsi_detector_ops ops = TCSI_LABELLED_OPS(init);

const tcsi_detector_info tcsi_detector_devnet_tabular = {
    .name = "devnet_tabular",
    .title = "deviation network of rows, for a few labels",
    .paper = "G. Pang, C. Shen, A. van den Hengel: Deep anomaly detection with deviation networks. KDD 2019, equations 6 and 7",
    .summary = "A number that a network gives a row, far above chance where it is like those labelled anomalous among the training "
               "rows. Needs labels there; misses kinds of anomalies of which none is labelled, but for what auto_tabular says.",
    TCSI_LABELLED_TABLE_INFO(TCSI_TRAIT_TRAINED),
};
