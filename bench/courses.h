/* bench/courses.h -- a fleet of series with labelled rows: simulated, or the files of a suite.  SPDX-License-Identifier: Apache-2.0 */
#ifndef TCS_BENCH_COURSES_H
#define TCS_BENCH_COURSES_H

#include "serve/shard/cell.h"

enum { COURSES_MAX = 2000 };

typedef struct course {
    double *values;
    uint8_t *labels;
    size_t row_count;
} course;

typedef struct courses {
    course items[COURSES_MAX];
    size_t count, row_count; /* row_count: of the longest */
} courses;

void courses_simulate(courses *c, size_t count, const char *scenario, size_t rows, uint64_t seed); /* ends the program where it cannot */
void courses_load(courses *c, const char *suite, const char *folder);
void courses_free(courses *c);
/* A cell's series are the fleet's, in its order: their rows of moment t, which is now, as record `sequence`. */
void courses_add(const courses *c, tcsi_cell *cell);
void courses_push(const courses *c, tcsi_cell *cell, size_t t, int64_t now_ns, uint64_t sequence);
/* Is a row of [begin - slack, end] labelled? */
bool course_is_labelled(const course *c, size_t begin, size_t end, size_t slack);

#endif
