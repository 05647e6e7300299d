/* detect/deep/weights.h -- the pre-trained networks that the build put into the library, from weights/. */
#ifndef TCS_DETECT_DEEP_WEIGHTS_H
#define TCS_DETECT_DEEP_WEIGHTS_H

#include "detect/deep/judge.h"

typedef struct tcsi_weights_file {
    tcsi_judge_view view;
    const unsigned char *bytes; /* safetensors */
    const size_t *size;
} tcsi_weights_file;

enum { TCSI_WEIGHTS_MAX = 16 };
extern const tcsi_weights_file tcsi_weights[];
extern const size_t tcsi_weights_count; /* <= TCSI_WEIGHTS_MAX */

#endif
