/* base/envelope.h -- a state in a safetensors file: what it is, in words that any reader of such files can show, and its bytes.
 *
 *     8 bytes, the header's length | {"__metadata__":{"format":...},"state":{"dtype":"U8","shape":[N],"data_offsets":[0,N]}} | N bytes
 *
 * The words are part of the file, and so of its hash; what they say of the state is its maker's word.  Threads: reentrant. */
#ifndef TCS_BASE_ENVELOPE_H
#define TCS_BASE_ENVELOPE_H

#include "base/json.h"

typedef struct tcsi_envelope_note {
    const char *key, *text;
} tcsi_envelope_note;

/* Appends the file to out; the first note is its format.  E_MEMORY, E_LIMIT: out's. */
tcs_status tcsi_envelope_write(const tcsi_envelope_note *notes, size_t note_count, const void *state, size_t state_size, tcsi_buffer *out,
                               tcs_error *err) TCS_WARN_UNUSED;
/* Ends a header that was begun with "__metadata__" by the member NAME, a tensor of so many bytes, and pads it. */
tcs_status tcsi_envelope_end(tcsi_json_writer *writer, const char *name, size_t state_size, tcs_error *err) TCS_WARN_UNUSED;
/* The state within bytes.  E_FORMAT: no such file, or of another format. */
tcs_status tcsi_envelope_open(const void *bytes, size_t size, const char *format, const void **ret_state, size_t *ret_size,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
