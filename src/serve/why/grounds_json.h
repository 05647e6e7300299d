/* serve/why/grounds_json.h -- what an episode was judged by, as its document has it under "grounds".
 *
 *     {"sequence": N, "opened_by": "height", "allowed": alarms of chance a row, "sure": h, "hold": h,
 *      "confirmed": time, "confirmed_by": "length", "lasted": rows,             where it was
 *      "onset": {"time", "received", "value", "threshold", "threshold_low",
 *                "chart": [level, last, variance, covariance, residual_square, step_last, count, clipped_run, reach, rest_reach],
 *                "scale": [usual, bar, peak, count, since, open_for]},          of a row that the first look judged
 *      "peak": the same, where it is another row,
 *      "answer": {"time", "model", "sort", "p_value", "mean", "limit", "window": [64 rows]}}   where the deep layer said something
 *
 * Infinite heights are null.  What is read back is what was written, bit for bit.  Threads: reentrant. */
#ifndef TCS_SERVE_WHY_GROUNDS_JSON_H
#define TCS_SERVE_WHY_GROUNDS_JSON_H

#include "base/json.h"
#include "serve/shard/grounds.h"

void tcsi_grounds_write(const tcsi_grounds *grounds, tcsi_json_writer *writer);
/* value: the object; NULL or another thing than what was written: false, and nothing is known. */
bool tcsi_grounds_read(const tcsi_json_value *value, tcsi_grounds *ret_grounds);
/* Where in an episode's document, as the store has it, the member with its grounds and the comma before it stand; size 0: nowhere. */
typedef struct tcsi_grounds_place {
    size_t begin, size;
} tcsi_grounds_place;
tcsi_grounds_place tcsi_grounds_find(const char *document);

#endif
