/* detect/ensemble/auto_offline.h -- the offline ensemble and its twin without networks are one instance and one set of operations.  The
 * trait DEEP makes the difference. */
#ifndef TCS_DETECT_AUTO_OFFLINE_H
#define TCS_DETECT_AUTO_OFFLINE_H

#include "detect/ensemble/deep_members.h"

typedef struct tcsi_auto_offline_options {
    size_t period; /* 0: found */
    size_t epochs; /* of the encoder; 0: its default */
} tcsi_auto_offline_options;

typedef struct tcsi_auto_offline {
    tcsi_detector base;
    tcsi_auto_offline_options options;
    tcsi_deep_members *members; /* NULL: none */
    size_t train_row_count;     /* of fit; 0: not fitted */
    size_t period;              /* of the frame last scored */
    size_t row_count;           /* of the frame last scored */
    size_t member_count;        /* of the frame last scored; 0: its score is not one of members */
    float *said;                /* (M,T) how rare each member finds a row among those of the frame */
    float *parts;               /* (C,T) channel scores of the frame last scored, >= 0; NULL with one channel */
} tcsi_auto_offline;

extern const tcsi_detector_ops tcsi_auto_offline_ops;

/* The parameter that both have. */
#define TCSI_AUTO_OFFLINE_PERIOD \
    { "period", TCSI_PARAMETER_COUNT, offsetof(tcsi_auto_offline_options, period), 0, 0, 100000, \
      "rows after which the series repeats itself; 0: found" }

#endif
