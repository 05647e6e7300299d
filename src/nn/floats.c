/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/floats.h"

#include "base/alloc.h"

bool tcsi_floats_init(tcsi_floats *floats, size_t count)
{
    const size_t border = TCSI_FLOATS_BORDER * sizeof(float);
    *floats = (tcsi_floats){ 0 };
    if (count > SIZE_MAX / sizeof(float) - TCSI_FLOATS_BORDER) return false;
    floats->block = tcsi_alloc_zero(count + TCSI_FLOATS_BORDER, sizeof(float));
    if (!floats->block) return false;
    size_t past = (size_t)((uintptr_t)floats->block % border);
    floats->values = (float *)((char *)floats->block + (past ? border - past : 0));
    return true;
}

void tcsi_floats_deinit(tcsi_floats *floats)
{
    tcsi_free(floats->block);
    *floats = (tcsi_floats){ 0 };
}
