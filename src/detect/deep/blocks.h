/* detect/deep/blocks.h -- a series as pre-trained networks read it: blocks of a sixteenth of its period, free of units.
 *
 * A block is f = max(1, L / 16) rows, so that a network that learned on one period knows every other.  Its channels are
 *   of the values, standardized: mean (asinh), highest and lowest less the mean, mean in deviations of the 16 blocks around, log of that
 *     deviation, log of the largest step from row to row less its median;
 *   of the series: log of L / 16, log of how many periods it is long;
 *   of each score that is given: mean (standardized over blocks, asinh) and -log of the share of blocks that have more.
 * asinh and log keep what is extreme apart without letting it drown the rest.
 * Threads: reentrant. */
#ifndef TCS_DETECT_DEEP_BLOCKS_H
#define TCS_DETECT_DEEP_BLOCKS_H

#include "base/status.h"
#include "nn/floats.h"

enum { TCSI_BLOCKS_A_PERIOD = 16 };
/* Channels, in this order: of the values, the last of them of the series as a whole; of each score. */
enum { TCSI_BLOCKS_OF_VALUES = 8, TCSI_BLOCKS_OF_SERIES = 2, TCSI_BLOCKS_A_SCORE = 2 };

typedef struct tcsi_blocks {
    size_t row_count, factor, block_count, channel_count;
    tcsi_floats values; /* (U,C) */
} tcsi_blocks;

/* x: (T) finite, T >= 1; period: rows, >= 1; scores: (S,T) finite.  E_MEMORY. */
tcs_status tcsi_blocks_init(const double *x, size_t row_count, size_t period, const double *scores, size_t score_count,
                            tcsi_blocks *ret_blocks, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_blocks_deinit(tcsi_blocks *blocks); /* accepts a zeroed struct */

/* Most bytes of blocks of so many rows with so many scores, and of making them; a block is a row at least. */
size_t tcsi_blocks_size_max(size_t row_count, size_t score_count);

/* blocks (U) -> ret_rows (T): each at the middle of its rows, linear in between. */
void tcsi_blocks_expand(const tcsi_blocks *blocks, const double *values, double *ret_rows);

#endif
