/* detect/training.h -- what a caller may want of a training that takes a while, and what it is told of it.
 * Borrowed by a detector from its creation on; only deep detectors look at it.  Threads: as the detector's. */
#ifndef TCS_DETECT_TRAINING_H
#define TCS_DETECT_TRAINING_H

#include <stddef.h>
#include <stdint.h>

enum { TCSI_CURVE_POINT_MAX = 512 };

/* The loss after so many steps of one member's training. */
typedef struct tcsi_learning_point {
    uint64_t member, step;
    double train_loss; /* mean over the steps since the last point */
    double held_loss;  /* of the rows that are held out; NaN: none are */
} tcsi_learning_point;

typedef struct tcsi_training {
    /* A file in which training is kept while it runs and afterwards; NULL: none.  A training of the same data with the same options goes
     * on from there, to the same bits as if it had never been interrupted; one of other data begins anew and replaces it.  Members after
     * the first add .1, .2, ... to the name.  A file that is no checkpoint is E_FORMAT, and left alone. */
    const char *checkpoint;
    tcsi_learning_point points[TCSI_CURVE_POINT_MAX]; /* in order; what does not fit is left out */
    size_t point_count;
} tcsi_training;

#endif
