/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/second_look.h"

#include "serve/deep/reason.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MODEL_SIZE_MAX = 1 << 24 };

/* Times of the window's rows, where the history has all of them; else 0. */
static void find_times(const tcsi_grounds_answer *answer, tcsi_second_look_rows rows, int64_t ret_ns[TCSI_LAST_ROWS])
{
    size_t end = rows.count;
    memset(ret_ns, 0, TCSI_LAST_ROWS * sizeof *ret_ns);
    while (end > 0 && rows.times_ns[end - 1] > answer->time_ns) end--;
    if (end < TCSI_LAST_ROWS || rows.times_ns[end - 1] != answer->time_ns) return;
    memcpy(ret_ns, rows.times_ns + end - TCSI_LAST_ROWS, TCSI_LAST_ROWS * sizeof *ret_ns);
}

static void write_rows(const tcsi_grounds_answer *answer, const tcsi_deep_reason *reason, const int64_t *times_ns,
                       tcsi_json_writer *writer)
{
    const double sum = reason->score - reason->score_expected;
    tcsi_json_key(writer, "rows");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < TCSI_LAST_ROWS; i++) {
        tcsi_json_begin_object(writer);
        if (times_ns[i]) tcsi_api_put_time(writer, "time", times_ns[i]);
        tcsi_json_put_number(writer, "deviations", tcsi_last_rows_deviations(answer->rows[i]));
        tcsi_json_put_number(writer, "expected", tcsi_last_rows_deviations(reason->expected[i]));
        tcsi_json_put_number(writer, "part", reason->shares[i]);
        tcsi_json_put_number(writer, "share", sum > 0 ? reason->shares[i] / sum : 0);
        tcsi_json_end_object(writer);
    }
    tcsi_json_end_array(writer);
}

static void write_change(const tcsi_grounds_answer *answer, const tcsi_deep_reason *reason, const int64_t *times_ns,
                         tcsi_json_writer *writer)
{
    tcsi_json_key(writer, "counterfactual");
    tcsi_json_begin_object(writer);
    tcsi_json_put_bool(writer, "found", reason->is_found);
    tcsi_json_put_number(writer, "score_before", reason->score);
    tcsi_json_put_integer(writer, "trials", (int64_t)reason->trial_count);
    if (reason->is_found) {
        tcsi_json_put_number(writer, "score_after", reason->score_after);
        tcsi_json_put_number(writer, "p_value_after", reason->p_value_after);
        tcsi_json_put_number(writer, "share", reason->way);
        tcsi_json_put_integer(writer, "rows_changed", (int64_t)reason->changed_count);
        tcsi_json_key(writer, "rows");
        tcsi_json_begin_array(writer);
        for (size_t i = 0; i < TCSI_LAST_ROWS; i++) {
            if (reason->instead[i] == answer->rows[i]) continue;
            tcsi_json_begin_object(writer);
            tcsi_json_put_integer(writer, "row", (int64_t)i);
            if (times_ns[i]) tcsi_api_put_time(writer, "time", times_ns[i]);
            tcsi_json_put_number(writer, "deviations", tcsi_last_rows_deviations(answer->rows[i]));
            tcsi_json_put_number(writer, "instead", tcsi_last_rows_deviations(reason->instead[i]));
            tcsi_json_end_object(writer);
        }
        tcsi_json_end_array(writer);
    }
    tcsi_json_end_object(writer);
}

static void advise(const tcsi_deep_reason *reason, double limit, char *text)
{
    if (reason->p_value > limit) return; /* it was ordinary as it was */
    if (!reason->is_found)
        snprintf(text, TCSI_SECOND_ADVICE_SIZE,
                 "no change that was tried would have been ordinary to the deep layer (chance %.3g, limit %.3g)", reason->p_value, limit);
    else
        snprintf(text, TCSI_SECOND_ADVICE_SIZE,
                 "the deep layer would have called it ordinary with %zu of its 64 rows %.0f %% of the way to what it expected (chance %.3g "
                 "instead of %.3g, limit %.3g)",
                 reason->changed_count, fmax(1, 100 * reason->way), reason->p_value_after, reason->p_value, limit);
}

/* The model that answered; *ret_model NULL: the store has it no more. */
static tcs_status load_model(tcsi_api *api, const tcsi_grounds_answer *answer, tcsi_deep_model **ret_model, tcs_error *err)
{
    char hash[TCSI_HASH_TEXT_SIZE];
    tcsi_buffer bytes;
    *ret_model = NULL;
    tcsi_hash_text(answer->model, hash);
    tcsi_buffer_init(&bytes, MODEL_SIZE_MAX);
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = tcsi_store_model_get(api->store, hash, &bytes, err);
    pthread_mutex_unlock(&api->store_mutex);
    if (status == TCS_OK) status = tcsi_deep_model_load(bytes.data, bytes.size, ret_model, err);
    tcsi_buffer_deinit(&bytes);
    return status == TCS_E_INVALID ? TCS_OK : status;
}

static void write_found(const tcsi_explained *e, const tcsi_deep_reason *reason, tcsi_second_look_rows rows, tcsi_json_writer *writer)
{
    const tcsi_grounds_answer *answer = &e->grounds.answer;
    char model[TCSI_HASH_TEXT_SIZE];
    int64_t times_ns[TCSI_LAST_ROWS];
    tcsi_hash_text(answer->model, model);
    find_times(answer, rows, times_ns);
    tcsi_json_put_string(writer, "attribution", "shapley");
    tcsi_json_put_number(writer, "attribution_error", reason->error);
    tcsi_json_key(writer, "second_look");
    tcsi_json_begin_object(writer);
    tcsi_api_put_time(writer, "time", answer->time_ns);
    tcsi_json_put_string(writer, "model", model);
    tcsi_json_put_string(writer, "verdict", tcsi_explained_text(e, "verdict"));
    tcsi_json_put_number(writer, "score", reason->score);
    tcsi_json_put_number(writer, "score_expected", reason->score_expected);
    tcsi_json_put_number(writer, "p_value_raw", (double)answer->p_value);
    tcsi_json_put_number(writer, "p_value", reason->p_value);
    tcsi_json_put_number(writer, "limit", (double)answer->limit);
    if (!isnan(reason->chance)) tcsi_json_put_number(writer, "chance_true", reason->chance);
    write_rows(answer, reason, times_ns, writer);
    write_change(answer, reason, times_ns, writer);
    tcsi_json_end_object(writer);
}

tcs_status tcsi_second_look_write(const tcsi_explained *e, tcsi_second_look_rows rows, tcsi_json_writer *writer, const char **ret_unknown,
                                  char ret_advice[TCSI_SECOND_ADVICE_SIZE], tcs_error *err)
{
    const tcsi_grounds_answer *answer = &e->grounds.answer;
    const tcsi_deep_verdict_options options = { .sort = (tcsi_question_sort)answer->sort, .mean = (double)answer->mean,
                                                .limit = (double)answer->limit };
    tcsi_deep_reason reason;
    tcsi_deep_model *model = NULL;
    *ret_unknown = NULL;
    *ret_advice = 0;
    tcs_status status = answer->time_ns ? load_model(e->api, answer, &model, err) : TCS_OK;
    if (status == TCS_OK && model) status = tcsi_deep_reason_find(model, answer->rows, &options, &reason, err);
    tcsi_deep_model_release(model);
    if (status != TCS_OK) return status;
    if (model) {
        write_found(e, &reason, rows, writer);
        advise(&reason, options.limit, ret_advice);
        return TCS_OK;
    }
    if (answer->time_ns) *ret_unknown = "second_look: the network that answered is not kept any more";
    tcsi_json_put_string(writer, "attribution", "none");
    tcsi_json_put_number(writer, "attribution_error", 0);
    tcsi_json_key(writer, "second_look");
    tcsi_json_null(writer);
    return TCS_OK;
}
