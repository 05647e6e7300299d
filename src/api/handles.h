/* api/handles.h -- what stands behind the opaque types of tocsin/tocsin.h.  Only src/api includes this. */
#ifndef TCS_API_HANDLES_H
#define TCS_API_HANDLES_H

#include "pipeline/detect.h"
#include "tocsin/tocsin.h"

struct tcs_frame {
    tcsi_frame *frame;
    bool is_tabular;
    bool has_real_times; /* false: no times, or only row numbers */
    size_t *places;      /* (T) where row r of the input stands in the frame; NULL: in the same place */
    char **notes;
    size_t note_count;
};

/* Keeps a copy of text as a note; beyond TCSI_NOTE_COUNT_MAX notes, and for an empty text, nothing.  E_MEMORY. */
enum { TCSI_NOTE_COUNT_MAX = 64 };
tcs_status tcsi_api_note(tcs_frame *frame, const char *text, tcs_error *err) TCS_WARN_UNUSED;

struct tcs_result {
    const tcs_frame *frame;    /* borrowed */
    tcsi_detection *detection;
    size_t *order;             /* episode indices, most severe first */
};

#endif
