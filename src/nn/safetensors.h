/* nn/safetensors.h -- the weights and states of a net as a safetensors file, both ways.
 *
 * The layout (https://github.com/huggingface/safetensors), byte by byte:
 *     8 bytes    N, the length of the header, little-endian
 *     N bytes    the header: JSON that begins with '{' and may end in spaces,
 *                {"__metadata__":{"KEY":"TEXT",...},"NAME":{"dtype":"F32","shape":[3,4],"data_offsets":[BEGIN,END]},...}
 *     the rest   the numbers, little-endian, row-major; offsets count from here; tensors leave no gap and end with the file
 * Written: F32 in the net's order, the header padded so that numbers begin on a border of 8 bytes.  Read: F32 as it is, F16 and BF16
 * exactly, F64 rounded.  Names, and shapes in our layout, are those of the net's weights; states stand among them.
 *
 * A file is taken whole or refused with one sentence, and a net that was not loaded stays as it was.  Refused are: a broken header, tensors
 * that are missing, unknown, double or of another shape, any other type (I64 too: no weight of ours is an integer), and numbers that
 * are not finite as a float.  For the same reason a net with such a weight is not written.
 *
 * Cost: one pass to check and one to copy; the header's tree is bounded at 256 MiB.  Machines of either byte order read and write the
 * same bytes.  Threads: loading changes the net, so nobody else may use it meanwhile. */
#ifndef TCS_NN_SAFETENSORS_H
#define TCS_NN_SAFETENSORS_H

#include "base/buffer.h"
#include "nn/net.h"

/* A text that travels with the weights, in the header's __metadata__. */
typedef struct tcsi_safetensors_note {
    const char *key, *text;
} tcsi_safetensors_note;

/* Appends the file to out, which stays as it was on failure.  E_INVALID: a weight that is not finite, a key used twice; E_LIMIT: out's
 * limit, or notes that make the header longer than 100 MB; E_MEMORY. */
tcs_status tcsi_safetensors_save(const tcsi_net *net, const tcsi_safetensors_note *notes, size_t note_count, tcsi_buffer *out,
                                 tcs_error *err) TCS_WARN_UNUSED;
/* E_FORMAT: no such file; E_UNSUPPORTED: another type of numbers; E_INVALID: sound, but not this net's weights; E_MEMORY. */
tcs_status tcsi_safetensors_load(tcsi_net *net, const void *bytes, size_t size, tcs_error *err) TCS_WARN_UNUSED;

/* The same with a file, which is replaced whole or not at all. */
tcs_status tcsi_safetensors_write(const tcsi_net *net, const tcsi_safetensors_note *notes, size_t note_count, const char *path,
                                  tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_safetensors_read(tcsi_net *net, const char *path, tcs_error *err) TCS_WARN_UNUSED;

/* Appends the text of a note to out, without a net: what the file is can be asked before a net is built.  E_INVALID: it has none. */
tcs_status tcsi_safetensors_note_text(const void *bytes, size_t size, const char *key, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
