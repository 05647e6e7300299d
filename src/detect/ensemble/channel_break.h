/* detect/ensemble/channel_break.h -- the joint member: breaks in how channels move together, with a threshold of its own.
 *
 * Four causal statistics over all channels, each calibrated on training rows that were held out from fitting it:
 *   Q1, Q2  dynamic squared prediction error: windowed means stacked with delayed copies of themselves, the leading
 *           principal components (80 % and 90 % of the variance) left out.  W. Ku, R. Storer, C. Georgakis: "Disturbance
 *           detection and isolation by dynamic principal component analysis", Chemometrics and Intelligent Laboratory
 *           Systems 30, 1995; covariance shrunk after O. Ledoit, M. Wolf 2004.
 *   K       a local-level (Kalman) filter per channel that follows slow drift and refuses jumps; noise and level variances
 *           from the training variogram.  J. Durbin, S. Koopman: "Time Series Analysis by State Space Methods", 2012, chapter 2.
 *   E       energy of what a channel does that the others do not explain, after removing slow movement (ridge regression).
 * The score is log(statistic) minus the mean log of held-out block maxima, averaged over Q1, Q2 and K, and the higher of that
 * and E, less a margin: above 0 the row is unlike anything the held-out training blocks held, which is the detector's own alarm threshold.
 * Cost: O((3 C)^2) a row.  Memory: O((3 C)^2).  Needs rows that are mostly normal to fit. */
#ifndef TCS_DETECT_CHANNEL_BREAK_H
#define TCS_DETECT_CHANNEL_BREAK_H

#include "detect/detector.h"

extern const tcsi_detector_info tcsi_detector_channel_break;

#endif
