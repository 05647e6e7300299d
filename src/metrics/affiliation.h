/* metrics/affiliation.h -- affiliation precision and recall: how near are the alarms to the events, against chance?
 *
 * A. Huet, J.-M. Navarro, D. Rossi: "Local evaluation of time series anomaly detection algorithms", KDD 2022, sections 4.2
 * and 4.3.  Rows are intervals of length 1 on the line [0, T].  The line is cut half-way between events into one zone per
 * event, and each zone is judged alone:
 *
 *     precision = mean over the alarmed points x of the zone of    Pr( a random point of the zone is at least as far from
 *                 the event as x is )
 *     recall    = mean over the points y of the event of           Pr( a random point of the zone is at least as far from y
 *                 as the nearest alarm of the zone is )
 *
 * so a point inside counts 1 and chance counts about one half.  Precision is the mean over the zones that hold an alarm,
 * recall over all zones, where a zone without an alarm has recall 0.
 *
 * Both integrals are elementary.  With the event J = [j0, j1] in the zone E = [e0, e1], m = min(j0 - e0, e1 - j1), a distance
 * of at most d is kept by |J| + d + min(d, m) of the zone, whose integral from 0 is
 *     G(d) = |J| d + d^2/2 + (d <= m ? d^2/2 : m d - m^2/2)
 * and an alarm outside J at distances d0..d1 contributes (d1 - d0) - (G(d1) - G(d0)) / |E|.  For recall, a point y at
 * distance d from the edge i of its nearest alarm loses (d + min(d, distance from y to the zone's end on its far side)) / |E|:
 * piecewise linear in y, integrated in two pieces.
 * Distances are taken from the zone, not from row 0, so that long files lose no digits.
 * Cost: O(events + alarms). */
#ifndef TCS_METRICS_AFFILIATION_H
#define TCS_METRICS_AFFILIATION_H

#include "metrics/overlap.h"

typedef struct tcsi_affiliation {
    double precision; /* [0, 1]; NaN without alarms or without events */
    double recall;    /* [0, 1]; 0 without alarms, NaN without events */
} tcsi_affiliation;

tcsi_affiliation tcsi_affiliation_compute(const tcsi_decision *decision);

/* 2 p r / (p + r + 1e-15), as TSB-AD computes it; 0 without alarms, NaN without events. */
double tcsi_affiliation_f1(const tcsi_affiliation *affiliation);

#endif
