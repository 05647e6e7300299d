/* io/report_data.h -- the numbers of a report: which channels and rows are kept at which detail, and their encoding.
 *
 * Problem.  A page that holds 1,000,000 rows must stay below about 20 MB, open at once and still show single rows where it
 * matters.
 * Idea.  One level holds the whole span: every row when that fits a budget of numbers, otherwise the lowest and highest value
 * of every `stride` rows, so that no spike is lost.  When it is decimated, further levels hold the surroundings of the most severe
 * episodes row by row.  The page decimates again to the pixels it has.  Expected bands vary slowly and get a wider stride.
 * Encoding.  A channel is centre + scale * f with f a little-endian float32 in [-1, 1]; the centre is a typical value, so
 * that float32 spends its digits near it whatever the offset of the channel; NaN is a gap.  All levels of a channel follow one
 * another in one base64 text: per level first the values (one each, or low, high when stride > 1), then the band (expected,
 * low, high each).  The score has thresholds in place of a band.
 * Times.  A line through few (row, milliseconds) points, exact at gaps and within a hundredth of a step elsewhere, unless the
 * steps are so irregular that more than TIME_POINT_COUNT_MAX points would be needed: then the tolerance grows. */
#ifndef TCS_IO_REPORT_DATA_H
#define TCS_IO_REPORT_DATA_H

#include "base/json.h"
#include "io/report.h"

#include <stdio.h>

enum { TCSI_REPORT_LEVEL_COUNT_MAX = 33 };

typedef struct tcsi_report_level {
    size_t row_begin, row_count;
    size_t stride;      /* rows per value, 1: every row */
    size_t band_stride; /* rows per band entry */
} tcsi_report_level;

typedef struct tcsi_report_plan {
    size_t channels[TCSI_REPORT_CHANNEL_COUNT_MAX]; /* in order of display */
    size_t channel_count;
    tcsi_report_level levels[TCSI_REPORT_LEVEL_COUNT_MAX]; /* [0]: all rows */
    size_t level_count;
    size_t episode_count; /* listed */
    bool has_times;       /* times are real and in order */
} tcsi_report_plan;

tcs_status tcsi_report_plan_make(const tcsi_report *report, tcsi_report_plan *ret_plan, tcs_error *err) TCS_WARN_UNUSED;

/* The lowest and highest present value of values[begin, end); false when none is present. */
bool tcsi_report_extremes(const double *values, size_t begin, size_t end, double *ret_low, double *ret_high);

/* READY scores as (T) values, NaN elsewhere. */
void tcsi_report_score_values(const tcsi_report *report, double *ret_values);

/* The usual step of times that do not decrease; 0 for fewer than two. */
double tcsi_report_step_ns(const int64_t *times_ns, size_t count);

/* A script element of JSON with that id. */
void tcsi_report_json_write(const tcsi_buffer *json, const char *id, FILE *stream);

/* Writes everything the page's script needs as script elements: one of JSON (schema tocsin/report/1), one of base64 per track, one of JSON
 * an episode that has a page of its own (report_pages.h). */
tcs_status tcsi_report_data_write(const tcsi_report *report, const tcsi_report_plan *plan, FILE *stream, tcs_error *err) TCS_WARN_UNUSED;

#endif
