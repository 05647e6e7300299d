/* serve/history/views.h -- each live series as several that a graph can show: what it was, what was expected, and how far apart these are.
 *
 *     name{...}                        the value that was judged: of a counter its rate, of merged rows their mean
 *     anomaly_score{metric="name",...} in deviations; of merged rows the greatest
 *     yhat{...} yhat_lower{...} yhat_upper{...}   what was expected, and the band around it (buckets.h)
 *
 * The last four carry the series' other labels, and its name in `metric`; a label of that name becomes `exported_metric`.
 * Threads: reentrant. */
#ifndef TCS_SERVE_HISTORY_VIEWS_H
#define TCS_SERVE_HISTORY_VIEWS_H

#include "serve/history/chronicle.h"
#include "serve/history/selector.h"

typedef enum tcsi_view {
    TCSI_VIEW_VALUE, TCSI_VIEW_SCORE, TCSI_VIEW_EXPECTED, TCSI_VIEW_LOWER, TCSI_VIEW_UPPER, TCSI_VIEW_COUNT
} tcsi_view;
extern const char *const tcsi_view_names[TCSI_VIEW_COUNT]; /* metrics; NULL: the series' own */
extern const char *const tcsi_view_help[TCSI_VIEW_COUNT];

/* The name of a series as it is seen; false: there is none (too many labels).  Its texts point into the other key and into constants. */
bool tcsi_view_key(tcsi_view view, const tcsi_key *series, tcsi_key *ret_key);
/* NaN: a row has none, as it was not scored. */
double tcsi_view_value(tcsi_view view, const tcsi_chronicle_row *row);

/* Every series that one of the selectors selects, each once, in their order; false of each ends it.  selector_count 0: all. */
typedef bool (*tcsi_view_each)(void *context, uint32_t number, tcsi_view view, const tcsi_key *key);
tcs_status tcsi_views_select(const tcsi_directory *directory, const tcsi_selector *selectors, size_t selector_count, tcsi_view_each each,
                             void *context, tcs_error *err) TCS_WARN_UNUSED;

#endif
