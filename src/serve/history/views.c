/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/views.h"

#include "serve/history/buckets.h"

#include <string.h>

static const char METRIC[] = "metric", EXPORTED[] = "exported_metric";

const char *const tcsi_view_names[TCSI_VIEW_COUNT] = { NULL, "anomaly_score", "yhat", "yhat_lower", "yhat_upper" };
const char *const tcsi_view_help[TCSI_VIEW_COUNT] = {
    "What was judged: values, of counters their rate.", "How far a row was from what was expected, in deviations.",
    "What was expected.", "What was expected, less 3 deviations.", "What was expected, and 3 deviations more.",
};

static bool is_name(const tcsi_tag *tag, const char *name)
{
    const size_t size = strlen(name);
    return tag->name_size == size && memcmp(tag->name, name, size) == 0;
}

bool tcsi_view_key(tcsi_view view, const tcsi_key *series, tcsi_key *ret_key)
{
    if (view == TCSI_VIEW_VALUE) {
        *ret_key = *series;
        return true;
    }
    const char *metric = tcsi_view_names[view];
    tcsi_key_begin(ret_key);
    (void)tcsi_key_add(ret_key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), metric, strlen(metric));
    for (size_t i = 0; i < series->tag_count; i++) {
        const tcsi_tag *tag = &series->tags[i];
        const char *name = is_name(tag, TCSI_KEY_METRIC) ? METRIC : is_name(tag, METRIC) ? EXPORTED : NULL;
        (void)tcsi_key_add(ret_key, name ? name : tag->name, name ? strlen(name) : tag->name_size, tag->value, tag->value_size);
    }
    return tcsi_key_finish(ret_key) == TCSI_KEY_NONE;
}

double tcsi_view_value(tcsi_view view, const tcsi_chronicle_row *row)
{
    const double reach = TCSI_BAND_DEVIATIONS * row->deviation;
    switch (view) {
    case TCSI_VIEW_SCORE: return row->score;
    case TCSI_VIEW_EXPECTED: return row->expected;
    case TCSI_VIEW_LOWER: return row->expected - reach;
    case TCSI_VIEW_UPPER: return row->expected + reach;
    default: return row->value;
    }
}

/* Whether the selector may select anything of that view: most ask for one name, and four of five need not be made. */
static bool may_select(const tcsi_selector *selector, tcsi_view view)
{
    const char *wanted = tcsi_selector_metric(selector);
    if (!wanted || view == TCSI_VIEW_VALUE) return true;
    return strcmp(wanted, tcsi_view_names[view]) == 0;
}

static bool is_selected(const tcsi_selector *selectors, size_t selector_count, tcsi_view view, const tcsi_key *series, tcsi_key *key)
{
    bool has_key = false;
    for (size_t i = 0; i < selector_count; i++) {
        if (!may_select(&selectors[i], view)) continue;
        if (!has_key && !tcsi_view_key(view, series, key)) return false;
        has_key = true;
        if (tcsi_selector_match(&selectors[i], key)) return true;
    }
    return selector_count == 0 && tcsi_view_key(view, series, key);
}

tcs_status tcsi_views_select(const tcsi_directory *directory, const tcsi_selector *selectors, size_t selector_count, tcsi_view_each each,
                             void *context, tcs_error *err)
{
    const uint32_t count = tcsi_directory_count(directory);
    tcsi_key series, key;
    for (uint32_t number = 0; number < count; number++) {
        const tcsi_directory_entry *entry = tcsi_directory_entry_of(directory, number);
        const tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &series, err);
        if (status != TCS_OK) return status;
        for (int view = 0; view < TCSI_VIEW_COUNT; view++)
            if (is_selected(selectors, selector_count, (tcsi_view)view, &series, &key) && !each(context, number, (tcsi_view)view, &key))
                return TCS_OK;
    }
    return TCS_OK;
}
