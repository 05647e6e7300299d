/* detect/window/patches.h -- what detectors share that compare every window of a series with a model of windows: the series
 * standardized and averaged, the measures a fit settles for every later series, and the way from windows back to rows.
 * Threads: reentrant. */
#ifndef TCS_DETECT_WINDOW_PATCHES_H
#define TCS_DETECT_WINDOW_PATCHES_H

#include "detect/window/coarse.h"
#include "detect/window/offline.h"

enum { TCSI_PATCH_WINDOW_MAX = 512 };

/* A model made of one series measures another alike. */
typedef struct tcsi_patch_measure {
    size_t window_row_count, factor, window; /* rows of a window; rows per averaged value; values of a window */
    tcsi_scale scale;
} tcsi_patch_measure;

/* Window i is values[i .. i + coarse.window), for i < coarse.window_count. */
typedef struct tcsi_patches {
    tcsi_offline offline;
    tcsi_coarse coarse;
    double *values; /* (coarse.value_count) */
} tcsi_patches;

/* Channel 0 of frame by the measure given.  Without one (NULL) by its own: windows of window_row_count rows (0: the period),
 * averaged down to about target_window values.  A series shorter than 8 windows has none, and its rows are not judged. */
tcs_status tcsi_patches_begin(const tcsi_frame *frame, size_t window_row_count, size_t target_window, const tcsi_patch_measure *measure,
                              tcsi_patches *ret_patches, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_patches_end(tcsi_patches *patches); /* accepts a zeroed struct */

/* The same for training rows of the detector called name: having no window is E_INVALID. */
tcs_status tcsi_patches_begin_fit(const tcsi_frame *train, size_t window_row_count, size_t target_window, const char *name,
                                  tcsi_patches *ret_patches, tcs_error *err) TCS_WARN_UNUSED;

tcsi_patch_measure tcsi_patches_measure(const tcsi_patches *patches);
void tcsi_patch_measure_persist(tcsi_patch_measure *measure, tcsi_codec *codec);

/* Fills ret_scores[begin .. end), one score a window.  worker_index: of the pool's threads, for scratch of its own. */
typedef void (*tcsi_patch_score)(const void *model, const double *values, size_t begin, size_t end, size_t worker_index,
                                 double *ret_scores);

/* Every window by score, block_count windows at a time, then every row (T) from the windows around it. */
tcs_status tcsi_patches_score(const tcsi_patches *patches, size_t block_count, tcsi_patch_score score, const void *model,
                              tcsi_pool *pool, tcs_score *ret_scores, tcs_error *err) TCS_WARN_UNUSED;

/* Most bytes that begin and score need. */
size_t tcsi_patches_size_max(size_t row_count);

#endif
