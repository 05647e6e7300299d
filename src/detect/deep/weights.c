/* detect/deep/weights.c -- the list of pre-trained networks: files of weights/, which tools/embed.py turned into arrays.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/weights.h"

/* View, file weights/NAME-NUMBER.safetensors. */
#define FILES(X)         \
    X(SCORES, scores, 1) \
    X(SCORES, scores, 2) \
    X(SCORES, scores, 3) \
    X(VALUES, values, 1) \
    X(VALUES, values, 2) \
    X(ATTENTION, attention, 1) \
    X(ATTENTION, attention, 2)

#define X(view, name, number)                                             \
    extern const unsigned char tcsi_asset_##name##_##number##_safetensors[]; \
    extern const size_t tcsi_asset_##name##_##number##_safetensors_size;
FILES(X)
#undef X

const tcsi_weights_file tcsi_weights[] = {
#define X(view, name, number) \
    { TCSI_JUDGE_##view, tcsi_asset_##name##_##number##_safetensors, &tcsi_asset_##name##_##number##_safetensors_size },
    FILES(X)
#undef X
};
const size_t tcsi_weights_count = TCS_COUNT(tcsi_weights);
