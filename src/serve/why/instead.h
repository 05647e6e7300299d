/* serve/why/instead.h -- the counterfactual of a live episode: the values that would have kept the first look quiet, tried by judging them.
 *
 * The rows from the onset on are judged again, one after the other, by the code that judged them and from the state that was kept of the
 * moment before it (shard/grounds.h).  A row that would alarm is moved to the nearest value that does not, given the rows before it as they
 * were changed, and judged once more; all others stay as they came.  So each change is the smallest that its row allows, and what is said
 * was tried.  What would have come of smaller changes to other rows is not searched for.
 *     OPENED     no row is above the threshold that was in force at the onset
 *     CONFIRMED  it may open, and stays a suspicion: no row is as high as confirms by itself, and no more rows than RUN_LENGTH are out of
 *                the ordinary; where the deep layer called it ordinary, only the height that confirms against its word counts
 * Thresholds and heights are those of that moment for all rows: those that a cohort had a few rows later depend on all its other series.
 * Nothing here has a clock or chance in it.  Memory: O(rows).  Threads: reentrant. */
#ifndef TCS_SERVE_WHY_INSTEAD_H
#define TCS_SERVE_WHY_INSTEAD_H

#include "serve/shard/grounds.h"

enum { TCSI_INSTEAD_ROWS_MAX = 4096 };

typedef enum tcsi_instead_goal { TCSI_INSTEAD_OPENED, TCSI_INSTEAD_CONFIRMED } tcsi_instead_goal;

typedef struct tcsi_instead_row {
    int64_t time_ns;
    double value;    /* as it came */
    double instead;  /* the same: it was not changed */
} tcsi_instead_row;

typedef struct tcsi_instead {
    bool is_found;
    bool is_like_then;      /* judged again as they came, the rows did what they did: the onset alarms */
    size_t changed_count;
    double height_before, height_after, threshold; /* highest of the rows; the one that may not be passed */
    double change, change_max; /* of changed rows: root mean square, and largest, in the deviations of residuals at the onset */
    size_t trial_count;     /* rows judged */
} tcsi_instead;

/* rows: (count) from the onset on, the first is the onset's; their `instead` is filled.  grounds->onset is known.  is_ordinary: the deep
 * layer said so.  E_MEMORY. */
tcs_status tcsi_instead_find(const tcsi_grounds *grounds, tcsi_instead_goal goal, bool is_ordinary, tcsi_instead_row *rows, size_t count,
                             tcsi_instead *ret, tcs_error *err) TCS_WARN_UNUSED;

#endif
