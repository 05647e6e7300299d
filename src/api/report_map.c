/* SPDX-License-Identifier: Apache-2.0
 * What an episode's rows were compared with (detect/regard.h) as a matrix that io draws: attention in stretches of equal length from the
 * first row that any went to, the nearest patches as columns of their own, the nearest COLUMNS_NEAREST of all. */
#include "api/report.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { COLUMNS_ATTENTION = 96, COLUMNS_NEAREST = 24 };

void tcsi_api_map_deinit(tcsi_report_map *map)
{
    tcsi_free((void *)(uintptr_t)map->rows); /* room for rows, begins and ends */
    tcsi_free((void *)(uintptr_t)map->cells);
    *map = (tcsi_report_map){ .row_count = 0 };
}

typedef struct room {
    size_t *rows, *begins, *ends;
    double *cells;
} room;

static tcs_status make_room(const tcsi_regard *regard, size_t column_count, tcsi_report_map *map, room *ret_room, tcs_error *err)
{
    const size_t row_count = regard->line_count;
    size_t *sizes = TCSI_NEW_ARRAY(size_t, row_count + 2 * column_count);
    double *cells = TCSI_NEW_ZEROS(double, row_count * column_count);
    *map = (tcsi_report_map){ .kind = tcsi_regard_kind_name(regard->kind), .rows = sizes, .cells = cells, .row_count = row_count,
                              .column_count = column_count };
    if (!sizes || !cells) {
        tcsi_api_map_deinit(map);
        return tcsi_fail_memory(err, "a report");
    }
    *ret_room = (room){ sizes, sizes + row_count, sizes + row_count + column_count, cells };
    map->begins = ret_room->begins;
    map->ends = ret_room->ends;
    for (size_t i = 0; i < row_count; i++) sizes[i] = regard->lines[i].row;
    return TCS_OK;
}

static tcs_status map_attention(const tcsi_regard *regard, tcsi_report_map *map, tcs_error *err)
{
    const size_t cell_count = regard->line_count * regard->link_count, each = regard->links[0].row_end - regard->links[0].row_begin;
    size_t first = SIZE_MAX, last = 0;
    room r;
    for (size_t i = 0; i < cell_count; i++) {
        if (!(regard->links[i].share > 0)) continue;
        if (first > regard->links[i].row_begin) first = regard->links[i].row_begin;
        if (last < regard->links[i].row_end) last = regard->links[i].row_end;
    }
    if (first >= last || each == 0) return TCS_OK;
    const size_t steps = (last - first + each - 1) / each, width = (steps + COLUMNS_ATTENTION - 1) / COLUMNS_ATTENTION * each;
    const size_t column_count = (last - first + width - 1) / width;
    tcs_status status = make_room(regard, column_count, map, &r, err);
    if (status != TCS_OK) return status;
    for (size_t k = 0; k < column_count; k++) {
        r.begins[k] = first + k * width;
        r.ends[k] = last - r.begins[k] > width ? r.begins[k] + width : last;
    }
    for (size_t i = 0; i < cell_count; i++)
        if (regard->links[i].share > 0)
            r.cells[i / regard->link_count * column_count + (regard->links[i].row_begin - first) / width] += regard->links[i].share;
    return TCS_OK;
}

/* Places among the links of the nearest patches, each once, in order of time; returns how many. */
static size_t choose_patches(const tcsi_regard *regard, const tcsi_link *chosen[COLUMNS_NEAREST])
{
    size_t count = 0;
    for (;;) {
        const tcsi_link *best = NULL;
        for (size_t i = 0; i < regard->line_count * regard->link_count; i++) {
            const tcsi_link *link = &regard->links[i];
            bool is_taken = !(link->share > 0);
            for (size_t k = 0; k < count; k++) is_taken = is_taken || chosen[k]->row_begin == link->row_begin;
            if (!is_taken && (!best || link->share > best->share)) best = link;
        }
        if (!best || count == COLUMNS_NEAREST) break;
        chosen[count++] = best;
    }
    for (size_t k = 1; k < count; k++) {
        const tcsi_link *link = chosen[k];
        size_t at = k;
        for (; at > 0 && chosen[at - 1]->row_begin > link->row_begin; at--) chosen[at] = chosen[at - 1];
        chosen[at] = link;
    }
    return count;
}

static tcs_status map_likeness(const tcsi_regard *regard, tcsi_report_map *map, tcs_error *err)
{
    const tcsi_link *chosen[COLUMNS_NEAREST];
    const size_t column_count = choose_patches(regard, chosen);
    room r;
    if (column_count == 0) return TCS_OK;
    tcs_status status = make_room(regard, column_count, map, &r, err);
    if (status != TCS_OK) return status;
    for (size_t k = 0; k < column_count; k++) {
        r.begins[k] = chosen[k]->row_begin;
        r.ends[k] = chosen[k]->row_end;
        for (size_t i = 0; i < regard->line_count * regard->link_count; i++)
            if (regard->links[i].share > 0 && regard->links[i].row_begin == r.begins[k])
                r.cells[i / regard->link_count * column_count + k] = regard->links[i].share;
    }
    return TCS_OK;
}

tcs_status tcsi_api_map_make(const tcsi_regard *regard, tcsi_report_map *ret_map, tcs_error *err)
{
    *ret_map = (tcsi_report_map){ .row_count = 0 };
    if (regard->line_count == 0) return TCS_OK;
    return regard->kind == TCSI_REGARD_ATTENTION ? map_attention(regard, ret_map, err) : map_likeness(regard, ret_map, err);
}
