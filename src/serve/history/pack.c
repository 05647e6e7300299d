/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/pack.h"

#include "store/block.h"

#include <math.h>

enum { RESIDUAL, DEVIATION, SCORE, BELOW, ABOVE, COUNT, PLAIN_FLOATS = 3 };

void tcsi_pack_begin(tcsi_pack *pack)
{
    pack->count = 0;
    pack->is_merged = false;
}

void tcsi_pack_add(tcsi_pack *pack, const tcsi_reel_row *row)
{
    const float floats[TCSI_PACK_FLOATS] = { row->residual, row->deviation, row->score, row->below, row->above, (float)row->count };
    const size_t at = pack->count++;
    TCS_ASSERT(at < TCSI_PACK_ROWS);
    pack->times_ns[at] = row->time_ns;
    pack->values[at] = row->value;
    for (size_t i = 0; i < TCSI_PACK_FLOATS; i++) pack->floats[i][at] = floats[i];
    pack->is_merged |= row->count > 1;
}

tcs_status tcsi_pack_encode(const tcsi_pack *pack, tcsi_buffer *out, tcs_error *err)
{
    const double *const values[] = { pack->values };
    const float *floats[TCSI_PACK_FLOATS];
    for (size_t i = 0; i < TCSI_PACK_FLOATS; i++) floats[i] = pack->floats[i];
    const tcsi_block_shape shape = { pack->count, 1, pack->is_merged ? TCSI_PACK_FLOATS : PLAIN_FLOATS };
    return tcsi_block_encode(shape, pack->times_ns, values, floats, out, err);
}

tcs_status tcsi_pack_decode(tcsi_pack *pack, const void *bytes, size_t size, tcs_error *err)
{
    double *const values[] = { pack->values };
    float *floats[TCSI_PACK_FLOATS];
    tcsi_block_shape shape;
    for (size_t i = 0; i < TCSI_PACK_FLOATS; i++) floats[i] = pack->floats[i];
    tcs_status status = tcsi_block_shape_read(bytes, size, &shape, err);
    if (status != TCS_OK) return status;
    const bool is_merged = shape.score_count == TCSI_PACK_FLOATS;
    if (shape.row_count > TCSI_PACK_ROWS || shape.value_count != 1 || (!is_merged && shape.score_count != PLAIN_FLOATS))
        return tcsi_fail(err, TCS_E_FORMAT, "a block of %zu rows and 1 + %zu + %zu columns is none of history", shape.row_count,
                         shape.value_count, shape.score_count);
    status = tcsi_block_decode(bytes, size, pack->times_ns, values, floats, err);
    pack->count = status == TCS_OK ? shape.row_count : 0;
    pack->is_merged = is_merged;
    return status;
}

tcsi_chronicle_row tcsi_chronicle_row_of(const tcsi_reel_row *row)
{
    return (tcsi_chronicle_row){ .time_ns = row->time_ns, .value = row->value, .low = row->value - (double)row->below,
                               .high = row->value + (double)row->above, .expected = row->value - (double)row->residual,
                               .deviation = (double)row->deviation, .score = (double)row->score, .count = row->count };
}

tcsi_chronicle_row tcsi_pack_row(const tcsi_pack *pack, size_t index)
{
    tcsi_reel_row row = { .time_ns = pack->times_ns[index], .value = pack->values[index], .residual = pack->floats[RESIDUAL][index],
                          .deviation = pack->floats[DEVIATION][index], .score = pack->floats[SCORE][index], .count = 1 };
    if (pack->is_merged) {
        const float count = pack->floats[COUNT][index];
        row.below = pack->floats[BELOW][index];
        row.above = pack->floats[ABOVE][index];
        row.count = count >= 1 && count < 4e9f ? (uint32_t)count : 1;
    }
    return tcsi_chronicle_row_of(&row);
}
