/* detect/deep/memory_bank.h -- patches remembered as points, and how far other patches are from the nearest of them.
 *
 * A patch is known by where it starts and by its descriptor (D).  The bank keeps at most so many, evenly spread; a patch's distance is the
 * mean Euclidean distance to its k nearest in the bank, those that start less than a given reach away left out when the bank is of the same
 * series: K. Roth et al., "Towards total recall in industrial anomaly detection", CVPR 2022, with an even choice in place of their coreset.
 * Exact: squared distances are |q|^2 + |b|^2 - 2 q b, the products a matrix product of BLOCK queries with all of the bank.
 * Cost: N B (D + 1) multiply-adds.  Threads: a bank has one writer or many readers; work is shared out by the pool. */
#ifndef TCS_DETECT_DEEP_MEMORY_BANK_H
#define TCS_DETECT_DEEP_MEMORY_BANK_H

#include "base/pool.h"
#include "nn/floats.h"

enum { TCSI_MEMORY_BANK_NEIGHBOURS_MAX = 64, TCSI_MEMORY_BANK_SIZE_MAX = 20000 };

/* Descriptors (N,D), one patch every `stride` steps. */
typedef struct tcsi_descriptors {
    size_t count, size, stride; /* N, D */
    tcsi_floats values;
} tcsi_descriptors;

void tcsi_descriptors_deinit(tcsi_descriptors *descriptors); /* accepts a zeroed struct */

typedef struct tcsi_memory_bank {
    size_t count, size, stride; /* patches; D; steps between their starts */
    tcsi_floats values;         /* (count, D) */
} tcsi_memory_bank;

/* At most size_max >= 1 of the descriptors.  E_MEMORY. */
tcs_status tcsi_memory_bank_init(const tcsi_descriptors *descriptors, size_t size_max, tcsi_memory_bank *ret_bank,
                                 tcs_error *err) TCS_WARN_UNUSED;
void tcsi_memory_bank_deinit(tcsi_memory_bank *bank); /* accepts a zeroed struct */

typedef struct tcsi_memory_search {
    size_t neighbour_count; /* 1 .. TCSI_MEMORY_BANK_NEIGHBOURS_MAX */
    size_t reach;           /* steps: bank patches that start nearer than this are not neighbours; 0: all are */
} tcsi_memory_search;

/* ret_distances (N); 0 where nobody is left to be near.  E_MEMORY. */
tcs_status tcsi_memory_bank_distances(const tcsi_memory_bank *bank, const tcsi_descriptors *queries, const tcsi_memory_search *search,
                                      tcsi_pool *pool, double *ret_distances, tcs_error *err) TCS_WARN_UNUSED;

/* Most bytes of a bank and of a search in it. */
size_t tcsi_memory_bank_size_max(size_t size_max, size_t descriptor_size, const tcsi_pool *pool);

#endif
