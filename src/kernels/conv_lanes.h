/* kernels/conv_lanes.h -- the depthwise convolution, lanes along channels; included once per tier by conv_TIER.c after floats_TIER.h.
 * A block of rows x registers of sums runs over j: one load of w for all rows, one load of x and one multiply-add each.  Loads are what
 * limits it; the rows are independent chains that hide the latency of multiply-adds. */
#include "kernels/conv_tier.h"
#include "kernels/unroll.h"

#define UNROLL TCSI_UNROLL(4)

enum { ROWS = 4, WIDTH = 2 };

INLINE floats load(const float *p, size_t channels)
{
    return channels >= LANES ? floats_load(p) : floats_load_part(p, channels);
}

/* rows x width registers from (row, channel) on; channels: LANES, or what is left of them, then width is 1. */
INLINE void block(const tcsi_depthwise *d, size_t rows, size_t width, size_t channels, size_t row, size_t channel)
{
    floats sum[ROWS][WIDTH];
    const float *start = d->start ? d->start + row * d->start_stride + channel : NULL;
    UNROLL for (size_t r = 0; r < rows; r++)
        UNROLL for (size_t v = 0; v < width; v++)
            sum[r][v] = start ? load(start + r * d->start_stride + v * LANES, channels) : floats_set(0);
    const float *x = d->x + row * d->x_row + channel, *w = d->w + channel;
    for (size_t j = 0; j < d->count; j++) {
        UNROLL for (size_t v = 0; v < width; v++) {
            const floats factor = load(w + v * LANES, channels);
            UNROLL for (size_t r = 0; r < rows; r++)
                sum[r][v] = floats_fma(load(x + r * d->x_row + v * LANES, channels), factor, sum[r][v]);
        }
        x += d->x_step;
        w += d->w_step;
    }
    const float *residual = d->residual ? d->residual + row * d->residual_stride + channel : NULL;
    float *y = d->y + row * d->y_stride + channel;
    UNROLL for (size_t r = 0; r < rows; r++)
        UNROLL for (size_t v = 0; v < width; v++) {
            if (residual) sum[r][v] = floats_add(sum[r][v], load(residual + r * d->residual_stride + v * LANES, channels));
            if (d->relu) sum[r][v] = floats_max(floats_set(0), sum[r][v]); /* NaN stays NaN */
            if (channels >= LANES) floats_store(y + r * d->y_stride + v * LANES, sum[r][v]);
            else floats_store_part(y + r * d->y_stride, sum[r][v], channels);
        }
}

INLINE void column(const tcsi_depthwise *d, size_t width, size_t channels, size_t channel)
{
    size_t row = 0;
    for (; row + ROWS <= d->rows; row += ROWS) block(d, ROWS, width, channels, row, channel);
    for (; row < d->rows; row++) block(d, 1, width, channels, row, channel);
}

INLINE void depthwise_run(const tcsi_depthwise *d)
{
    size_t channel = 0;
    for (; channel + WIDTH * LANES <= d->channels; channel += WIDTH * LANES) column(d, WIDTH, LANES, channel);
    for (; channel + LANES <= d->channels; channel += LANES) column(d, 1, LANES, channel);
    if (channel < d->channels) column(d, 1, d->channels - channel, channel);
}
