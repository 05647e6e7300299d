/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

static bool report_part(void *context, double share)
{
    const tcsi_progress_part *part = context;
    return part->whole->report(part->whole->context, part->begin + part->share * share);
}

void tcsi_progress_part_init(tcsi_progress_part *part, const tcsi_progress *whole, size_t index, size_t count)
{
    *part = (tcsi_progress_part){ .whole = whole, .begin = (double)index / (double)count, .share = 1 / (double)count };
    part->progress = (tcsi_progress){ .report = whole && whole->report ? report_part : NULL, .context = part };
}
