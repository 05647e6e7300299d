/* detect/window/left_join.h -- how unlike its own past is the present?  A causal join with bounded memory.
 *
 * Rows are averaged over blocks of factor = max(1, round(window / target)) rows; of the coarse values, windows of
 * w = max(4, window / factor) are compared with stored stretches of the past ("segments" of O = max(2 w, width_min)
 * consecutive windows), and only with those that ended before the window began.  Segment g is kept while g is
 * divisible by 2^k and fewer than J 2^k segments have passed: the whole past stays represented, ever more thinly, by at most
 * J segments; the first one is never dropped.
 * Output per row: the distance to the nearest stored window, as in detect/window/joins.h, from the last complete block.
 * Batch use is pushing every row: the same bits by construction.
 * Memory: one block, allocated at create.  Threads: one user per struct. */
#ifndef TCS_DETECT_WINDOW_LEFT_JOIN_H
#define TCS_DETECT_WINDOW_LEFT_JOIN_H

#include "base/codec.h"

typedef struct tcsi_left_join tcsi_left_join;

typedef struct tcsi_left_join_options {
    size_t window;        /* rows, >= 1 */
    size_t target_window; /* coarse values, >= 4; 0: 32 */
    size_t segment_count; /* J, >= 1; 0: 160 */
    size_t width_min;     /* of a segment, in windows; 0: 2 w is enough */
} tcsi_left_join_options;

/* E_INVALID: an option out of range (window and segment_count at most 1,000,000); E_MEMORY. */
tcs_status tcsi_left_join_create(const tcsi_left_join_options *options, tcsi_left_join **ret_join, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_left_join_destroy(tcsi_left_join *join); /* accepts NULL */
void tcsi_left_join_reset(tcsi_left_join *join);

typedef struct tcsi_left_distance {
    bool is_ready;       /* false until the first segment is complete and lies in the past: both distances are then 0 */
    double centred, raw; /* mean-centred, and as the values are; >= 0 */
} tcsi_left_distance;

/* One row in.  value: finite, standardized by the past; clipped at +-1e6.  Allocates nothing.  Cost: J O / factor cells. */
tcsi_left_distance tcsi_left_join_push(tcsi_left_join *join, double value);

/* Loading: into a join made with the same options. */
void tcsi_left_join_persist(tcsi_left_join *join, tcsi_codec *codec);

/* Bytes held by a join with these options; SIZE_MAX when they are out of range. */
size_t tcsi_left_join_size(const tcsi_left_join_options *options);

#endif
