/* api/handles.h -- what stands behind the opaque types of tocsin/tocsin.h.  Only src/api includes this. */
#ifndef TCS_API_HANDLES_H
#define TCS_API_HANDLES_H

#include "pipeline/detect.h"
#include "tocsin/tocsin.h"

struct tcs_frame {
    tcsi_frame *frame;
    bool is_tabular;
    bool has_real_times; /* false: no times, or only row numbers */
    char **notes;
    size_t note_count;
};

struct tcs_result {
    const tcs_frame *frame;    /* borrowed */
    tcsi_detection *detection;
    size_t *order;             /* episode indices, most severe first */
};

#endif
