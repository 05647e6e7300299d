/* detect/ensemble/voices.h -- how rare is what each member of an ensemble says, in its own past?
 *
 * A member's values are counted in bins, and a new one gets the conformal p-value (1 + values in its bin and above) / (n + 1): valid
 * whatever the member's distribution, and on the careful side, because all of a bin counts as equal.  A bin is 1/16 of an octave of
 * 1 + value wide, as the bits of a double give it; all below 0 is one bin, since nothing that low is rare.
 * Members see the same rows: what their p-values say together is for who reads them (decide/agreement.h).
 * Cost: about 20 ns a value.  Memory: 2 KB a member, allocated at init.  Threads: one user per struct. */
#ifndef TCS_DETECT_VOICES_H
#define TCS_DETECT_VOICES_H

#include "base/codec.h"

enum { TCSI_VOICE_OCTAVES = 32, TCSI_VOICE_BINS = 16 * TCSI_VOICE_OCTAVES };

typedef struct tcsi_voice {
    uint32_t bins[TCSI_VOICE_BINS], octaves[TCSI_VOICE_OCTAVES]; /* values in each, and in each sixteen of them */
    uint32_t count;
} tcsi_voice;

/* The p-value of a value that is not NaN among those before it, in (0, 1]; then it joins them.  Of very many all are halved. */
double tcsi_voice_push(tcsi_voice *voice, double value);
void tcsi_voice_persist(tcsi_voice *voice, tcsi_codec *codec);

/* The same looking back: values (n), none NaN, against each other.  ret_p_values: (n); scratch: (n). */
void tcsi_voice_rank(const double *values, size_t count, float *ret_p_values, double *scratch);

/* How far a score moves when one member is left out: the deviation of the scores (count) of the ensembles that lack one; 0 of fewer than
 * two. */
double tcsi_voices_deviation(const double *without, size_t count);

#endif
