/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/last_rows.h"

#include "base/bounds.h"

#include <math.h>
#include <string.h>

static const double STEPS = 2048, ROW_MAX = 32767, DEVIATIONS_MAX = 1e7; /* beyond the last step: sinh(16) is 4.4e6 */

int16_t tcsi_last_rows_write(double value)
{
    return isnan(value) ? 0 : (int16_t)tcsi_at_most(tcsi_at_least(rint(STEPS * value), -ROW_MAX), ROW_MAX);
}

/* Within 1e-8, a hundred-thousandth of a step, and the same bits on every machine, which a library's need not be: log(x + sqrt(x^2 + 1)),
 * whose logarithm is that of the exponent and, of what is left between 1 and 2, 2 atanh((m - r) / (m + r)) around r = sqrt(2) (Abramowitz
 * and Stegun 4.1.27).  x: from 0 to DEVIATIONS_MAX. */
static double inverse_sine(double x)
{
    static const double ROOT = 1.4142135623730951, LOG_ROOT = 0.34657359027997264, LOG_TWO = 0.6931471805599453;
    const double sum = x + sqrt(x * x + 1);
    uint64_t bits;
    double mantissa;
    memcpy(&bits, &sum, sizeof bits);
    const int exponent = (int)(bits >> 52) - 1023;
    bits = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1023) << 52;
    memcpy(&mantissa, &bits, sizeof mantissa);
    const double s = (mantissa - ROOT) / (mantissa + ROOT), square = s * s;
    return exponent * LOG_TWO + LOG_ROOT + 2 * s * (1 + square * (1.0 / 3 + square * (1.0 / 5 + square * (1.0 / 7 + square / 9))));
}

double tcsi_last_rows_deviations(int16_t row)
{
    return sinh((double)row / STEPS);
}

void tcsi_last_rows_push(tcsi_last_rows *rows, double deviations)
{
    const double size = inverse_sine(tcsi_at_most(fabs(deviations), DEVIATIONS_MAX));
    rows->ring[rows->at] = isnan(deviations) ? 0 : tcsi_last_rows_write(deviations < 0 ? -size : size);
    rows->at = (uint8_t)((rows->at + 1) % TCSI_LAST_ROWS);
    if (rows->count < TCSI_LAST_ROWS) rows->count++;
}

bool tcsi_last_rows_window(const tcsi_last_rows *rows, int16_t ret_rows[TCSI_LAST_ROWS])
{
    if (rows->count < TCSI_LAST_ROWS) return false;
    const size_t older = (size_t)(TCSI_LAST_ROWS - rows->at);
    memcpy(ret_rows, rows->ring + rows->at, older * sizeof *ret_rows);
    memcpy(ret_rows + older, rows->ring, rows->at * sizeof *ret_rows);
    return true;
}

void tcsi_last_rows_read(const int16_t *rows, size_t count, float *ret_values)
{
    for (size_t i = 0; i < count; i++) ret_values[i] = (float)rows[i] * (float)(1 / STEPS);
}

void tcsi_last_rows_persist_window(int16_t rows[TCSI_LAST_ROWS], tcsi_codec *codec)
{
    unsigned char bytes[2 * TCSI_LAST_ROWS];
    for (size_t i = 0; i < TCSI_LAST_ROWS; i++) {
        bytes[2 * i] = (unsigned char)((uint16_t)rows[i] & 255);
        bytes[2 * i + 1] = (unsigned char)((uint16_t)rows[i] >> 8);
    }
    tcsi_codec_bytes(codec, bytes, sizeof bytes);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    for (size_t i = 0; i < TCSI_LAST_ROWS; i++) rows[i] = (int16_t)(uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
}

void tcsi_last_rows_persist(tcsi_last_rows *rows, tcsi_codec *codec)
{
    unsigned char ends[2] = { rows->at, rows->count };
    tcsi_last_rows_persist_window(rows->ring, codec);
    tcsi_codec_bytes(codec, ends, sizeof ends);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    rows->at = ends[0];
    rows->count = ends[1];
    const bool is_sound = rows->at < TCSI_LAST_ROWS && rows->count <= TCSI_LAST_ROWS &&
                          (rows->count == TCSI_LAST_ROWS || rows->at == rows->count);
    if (!is_sound) tcsi_codec_refuse(codec, "last rows out of range");
}
