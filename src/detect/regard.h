/* detect/regard.h -- which other rows a detector looked at when it judged some rows: the operation `regard` of the contract.
 *
 * Two kinds, by what a detector is:
 *   ATTENTION   of a network with attention: the shares of a line's links are how it spread its attention over the rows of its window, the
 *               mean over the heads of the last layer, and over members.  They sum to 1.  Attention says where a network looked, not what
 *               it made of that.
 *   LIKENESS    of a detector that compares patches: the nearest patches without closed rows (those of episodes, say), as it measures
 *               distance, that share no row with the line's patch or with each other; nearest first.  A link's share is u / (u + distance),
 *               with u, `usual`, the median distance of normal patches to their own nearest: 0.5 is as near as is usual, far less: there is
 *               nothing like it.
 * A line for each row asked about; every line has room for link_count links, and what is not used has row_begin = row_end and share 0. */
#ifndef TCS_DETECT_REGARD_H
#define TCS_DETECT_REGARD_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { TCSI_REGARD_NEAREST = 3 };

typedef enum tcsi_regard_kind { TCSI_REGARD_ATTENTION, TCSI_REGARD_LIKENESS } tcsi_regard_kind;

typedef struct tcsi_link {
    size_t row_begin, row_end; /* rows of the frame */
    double share;              /* [0, 1] */
    double distance;           /* LIKENESS */
} tcsi_link;

typedef struct tcsi_regard_line {
    size_t row;                /* that was asked about */
    size_t row_begin, row_end; /* that stand for it: the row itself, its step, its patch; the row from which it was foretold */
} tcsi_regard_line;

typedef struct tcsi_regard {
    tcsi_regard_kind kind;
    size_t line_count, link_count;
    tcsi_regard_line *lines; /* (line_count) */
    tcsi_link *links;          /* (line_count,link_count) */
    double usual;              /* LIKENESS: > 0 */
} tcsi_regard;

/* What is asked. */
typedef struct tcsi_regard_wish {
    const size_t *rows;      /* (row_count) of the frame, ascending; at least one */
    size_t row_count;
    const uint8_t *closed;   /* (T) 1: no neighbour may hold the row; NULL: none is */
} tcsi_regard_wish;

const char *tcsi_regard_kind_name(tcsi_regard_kind kind); /* "attention" */

/* A line for each row of the wish, nothing known of it yet.  E_MEMORY. */
tcs_status tcsi_regard_init(tcsi_regard_kind kind, const tcsi_regard_wish *wish, size_t link_count, tcsi_regard *ret_regard,
                              tcs_error *err) TCS_WARN_UNUSED;
void tcsi_regard_deinit(tcsi_regard *regard); /* accepts a zeroed one */

/* Patches of a frame, and how far one is from another: patch n holds rows [n row_step, n row_step + row_length). */
typedef struct tcsi_patch_set {
    size_t count, row_step, row_length, frame_row_count;
    double (*distance)(const void *context, size_t a, size_t b); /* finite, >= 0 */
    const void *context;
} tcsi_patch_set;

/* LIKENESS, of the patches whose middles are nearest to the rows.  Cost: (rows + 32) count distances.  E_MEMORY; E_UNSUPPORTED: too few
 * patches are left to be near. */
tcs_status tcsi_regard_nearest(const tcsi_patch_set *set, const tcsi_regard_wish *wish, tcsi_regard *ret_regard,
                                 tcs_error *err) TCS_WARN_UNUSED;

#endif
