/* nn/ops/direction.h -- rows as unit vectors, for losses that compare the rows of a batch by the cosine between them.
 * A row shorter than TCSI_NN_LENGTH_MIN has no direction: its cosines are 0 and no gradient passes to it. */
#ifndef TCS_NN_OPS_DIRECTION_H
#define TCS_NN_OPS_DIRECTION_H

#include "nn/op.h"

/* Does row b take part?  A row of weight 0 does not, not even as a partner of others. */
static inline bool tcsi_row_counts(const tcsi_op_call *call, size_t b)
{
    return !call->row_weights || call->row_weights[b] > 0;
}

/* unit (B,D) = x / |x|; zeros for rows that do not take part or have no direction. */
void tcsi_directions(const tcsi_op_call *call, const float *x, size_t count, float *ret_unit);

/* dx of input i for rows [begin, begin + rows) from the gradient (rows,D) by their directions unit (rows,D):
 * (gradient - unit (unit . gradient)) / |x|; 0 for rows that do not take part or have no direction. */
void tcsi_directions_backward(const tcsi_op_call *call, size_t i, size_t begin, size_t rows, size_t count, const float *unit,
                              const float *gradient);

/* band (rows,B) = the cosines of `rows` units with all B, (B,D) each. */
void tcsi_direction_band(const tcsi_op_call *call, const float *rows_unit, size_t rows, const float *unit, size_t count, float *ret_band);

#endif
