/* SPDX-License-Identifier: Apache-2.0
 * Scores and episodes to files that are complete or absent. */
#include "api/handles.h"

#include "base/file.h"
#include "base/json.h"
#include "io/write.h"
#include "series/time.h"

#include <math.h>
#include <string.h>

/* RFC 3339, or nothing without times. */
static const char *time_text(const tcs_result *result, size_t row, char *buffer, size_t size)
{
    buffer[0] = 0;
    if (result->frame->has_real_times) tcsi_time_format_iso(result->detection->frame->times_ns[row], buffer, size);
    return buffer;
}

tcs_status tcs_result_scores_write(const tcs_result *result, const char *path, tcs_error *err)
{
    const tcsi_detection *detection = result->detection;
    const tcsi_frame *frame = detection->frame;
    tcsi_scores_options options = { .ndjson = tcsi_scores_is_ndjson(path), .has_times = result->frame->has_real_times,
                                    .has_uncertainty = (detection->info->traits & TCSI_TRAIT_UNCERTAINTY) != 0,
                                    .has_labels = frame->labels };
    tcsi_scores_writer *writer;
    tcs_status status = tcsi_scores_open(path, &options, &writer, err);
    if (status != TCS_OK) return status;
    const size_t *places = result->frame->places;
    for (size_t r = 0; r < frame->row_count && status == TCS_OK; r++) {
        size_t t = places ? places[r] : r;
        tcsi_scores_row row = { .row = r, .time_ns = frame->times_ns ? frame->times_ns[t] : 0, .score = detection->scores[t],
                                .anomaly = detection->decision.anomaly[t],
                                .sure = detection->decision.by_evidence ||
                                        tcs_score_is_sure(&detection->scores[t], detection->decision.thresholds[t]),
                                .label = frame->labels ? frame->labels[t] : 0,
                                .probability = tcs_result_probability(result, t) };
        status = tcsi_scores_put(writer, &row, err);
    }
    if (status == TCS_OK) return tcsi_scores_commit(writer, err);
    tcsi_scores_abort(writer);
    return status;
}

/* A CSV field: quoted when it must be. */
static void write_field(const char *text, FILE *stream)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"') fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

/* Kind and sentence of the most severe episodes; NULL: of this one there is none. */
enum { EXPLAINED_MAX = 100 };
static tcs_status explain_briefly(const tcs_result *result, size_t rank, tcs_explanation **ret_explanation, tcs_error *err)
{
    static const tcs_explain_options brief = { .brief = true };
    *ret_explanation = NULL;
    return rank < EXPLAINED_MAX ? tcs_result_explain(result, &rank, 1, &brief, ret_explanation, err) : TCS_OK;
}

static const char *kind_of(const tcs_explanation *explanation)
{
    return tcs_explanation_channel_count(explanation) > 0 ? tcs_explanation_channel(explanation, 0).kind : "unknown";
}

static void write_episode_csv(const tcs_result *result, size_t rank, const tcs_explanation *explanation, FILE *stream)
{
    tcs_episode episode = tcs_result_episode(result, rank);
    char times[3][TCSI_TIME_TEXT_SIZE], shares[1024] = "";
    size_t used = 0, rows[3] = { episode.row_begin, episode.row_peak, episode.row_end - 1 };
    for (int i = 0; i < 3; i++) time_text(result, rows[i], times[i], sizeof times[i]);
    for (size_t i = 0; i < episode.share_count && used + 1 < sizeof shares; i++) {
        int length = snprintf(shares + used, sizeof shares - used, "%s%s=%.3f", i ? ";" : "",
                              tcs_frame_channel_name(result->frame, episode.shares[i].channel), episode.shares[i].share);
        used += length > 0 ? (size_t)length : 0;
    }
    fprintf(stream, "%zu,%zu,%zu,%zu,%s,%s,%s,%.1f,%.9g,%.6g,%.6g,", rank + 1, episode.row_begin, episode.row_peak, episode.row_end,
            times[0], times[1], times[2], episode.severity, episode.score, episode.p_value, episode.expected_count);
    write_field(shares, stream);
    fprintf(stream, ",%s", tcs_episode_state_name(episode.state));
    if (tcs_result_has_knowledge(result)) {
        fputc(',', stream);
        write_field(episode.limit ? episode.limit : "", stream);
        fputc(',', stream);
        write_field(episode.signature ? episode.signature : "", stream);
        if (isnan(episode.probability)) fputc(',', stream);
        else fprintf(stream, ",%.6g", episode.probability);
    }
    fputc(',', stream);
    if (explanation) write_field(kind_of(explanation), stream);
    fputc(',', stream);
    if (explanation) write_field(tcs_explanation_sentence(explanation), stream);
    fputc('\n', stream);
}

static tcs_status write_episode_json(const tcs_result *result, size_t rank, const tcs_explanation *explanation, FILE *stream,
                                     tcs_error *err)
{
    tcs_episode episode = tcs_result_episode(result, rank);
    tcsi_buffer line;
    tcsi_json_writer w;
    tcsi_buffer_init(&line, 1 << 20);
    tcsi_json_writer_init(&w, &line, false);
    const struct { const char *key; double value; } numbers[] = {
        { "rank", (double)(rank + 1) }, { "row_onset", (double)episode.row_begin }, { "row_peak", (double)episode.row_peak },
        { "row_end", (double)episode.row_end }, { "severity", episode.severity }, { "score", episode.score },
        { "p_value", episode.p_value }, { "expected_count", episode.expected_count },
    };
    const struct { const char *key; size_t row; } times[] = { { "time_onset", episode.row_begin }, { "time_peak", episode.row_peak },
                                                              { "time_end", episode.row_end - 1 } };
    tcsi_json_begin_object(&w);
    for (size_t i = 0; i < TCS_COUNT(numbers); i++) {
        tcsi_json_key(&w, numbers[i].key);
        tcsi_json_number(&w, numbers[i].value);
    }
    for (size_t i = 0; i < TCS_COUNT(times); i++) {
        char text[TCSI_TIME_TEXT_SIZE];
        tcsi_json_key(&w, times[i].key);
        tcsi_json_string(&w, *time_text(result, times[i].row, text, sizeof text) ? text : NULL);
    }
    tcsi_json_key(&w, "channels");
    tcsi_json_begin_object(&w);
    for (size_t i = 0; i < episode.share_count; i++) {
        tcsi_json_key(&w, tcs_frame_channel_name(result->frame, episode.shares[i].channel));
        tcsi_json_number(&w, episode.shares[i].share);
    }
    tcsi_json_end_object(&w);
    tcsi_json_key(&w, "state");
    tcsi_json_string(&w, tcs_episode_state_name(episode.state));
    tcsi_json_key(&w, "kind");
    tcsi_json_string(&w, explanation ? kind_of(explanation) : NULL);
    tcsi_json_key(&w, "sentence");
    tcsi_json_string(&w, explanation ? tcs_explanation_sentence(explanation) : NULL);
    if (tcs_result_has_knowledge(result)) {
        tcsi_json_key(&w, "limit");
        tcsi_json_string(&w, episode.limit);
        tcsi_json_key(&w, "signature");
        tcsi_json_string(&w, episode.signature);
        tcsi_json_key(&w, "probability");
        tcsi_json_number(&w, episode.probability);
    }
    tcsi_json_end_object(&w);
    tcs_status status = tcsi_json_finish(&w, err);
    if (status == TCS_OK) fprintf(stream, "%s\n", line.data);
    tcsi_buffer_deinit(&line);
    return status;
}

tcs_status tcs_result_episodes_write(const tcs_result *result, const char *path, tcs_error *err)
{
    tcsi_file_writer writer;
    tcs_status status = tcsi_file_writer_open(path, &writer, err);
    if (status != TCS_OK) return status;
    bool as_json = tcsi_scores_is_ndjson(path);
    if (!as_json)
        fprintf(writer.stream, "rank,row_onset,row_peak,row_end,time_onset,time_peak,time_end,"
                               "severity,score,p_value,expected_count,channels,state%s,kind,sentence\n",
                tcs_result_has_knowledge(result) ? ",limit,signature,probability" : "");
    for (size_t rank = 0; rank < tcs_result_episode_count(result) && status == TCS_OK; rank++) {
        tcs_explanation *explanation;
        status = explain_briefly(result, rank, &explanation, err);
        if (status != TCS_OK) break;
        if (as_json) status = write_episode_json(result, rank, explanation, writer.stream, err);
        else write_episode_csv(result, rank, explanation, writer.stream);
        tcs_explanation_destroy(explanation);
    }
    if (status == TCS_OK) return tcsi_file_writer_commit(&writer, err);
    tcsi_file_writer_abort(&writer);
    return status;
}

tcs_status tcs_frame_write(const tcs_frame *frame, const char *path, tcs_error *err)
{
    return tcsi_write_frame(path, frame->frame, err);
}

size_t tcs_time_format(int64_t time_ns, char *ret_text, size_t size)
{
    return tcsi_time_format_iso(time_ns, ret_text, size);
}

tcs_status tcs_time_parse(const char *text, int64_t *ret_time_ns, tcs_error *err)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    if (text && tcsi_time_parse(&iso, text, strlen(text), ret_time_ns)) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "'%.80s' is no time; expected one such as 2026-05-03T14:02:00Z", text ? text : "");
}

/* The channel's limit that is likeliest passed in that row, and how likely. */
static void write_limit_ahead(const tcs_result *result, const tcs_forecast *forecast, FILE *stream)
{
    const char *limit = NULL;
    double largest = -1;
    for (size_t i = 0; i < tcs_result_crossing_count(result); i++) {
        const tcs_crossing crossing = tcs_result_crossing(result, i);
        for (size_t h = 0; h < crossing.horizon_count && crossing.channel == forecast->channel; h++)
            if (crossing.horizons[h].rows_ahead == forecast->rows_ahead && crossing.horizons[h].probability > largest) {
                largest = crossing.horizons[h].probability;
                limit = crossing.limit;
            }
    }
    putc(',', stream);
    if (limit) write_field(limit, stream);
    if (limit) fprintf(stream, ",%.6g", largest);
    else putc(',', stream);
}

static void write_forecast(const tcs_result *result, size_t index, FILE *stream)
{
    const tcs_forecast f = tcs_result_forecast(result, index);
    write_field(tcs_frame_channel_name(result->frame, f.channel), stream);
    fprintf(stream, ",%zu,%.9g", f.rows_ahead, f.median);
    for (size_t i = 0; i < TCS_FORECAST_BAND_COUNT; i++) fprintf(stream, ",%.9g,%.9g", f.bands[i].low, f.bands[i].high);
    fprintf(stream, ",%.6g,%.6g", f.noise, f.doubt);
    if (tcs_result_has_knowledge(result)) write_limit_ahead(result, &f, stream);
    putc('\n', stream);
}

tcs_status tcs_result_forecasts_write(const tcs_result *result, const char *path, tcs_error *err)
{
    tcsi_file_writer file;
    if (tcs_result_forecast_count(result) == 0)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s gives no forecasts; tcn_forecaster, say, does", tcs_result_detector(result));
    tcs_status status = tcsi_file_writer_open(path, &file, err);
    if (status != TCS_OK) return status;
    fputs("channel,rows_ahead,median", file.stream);
    for (size_t i = 0; i < TCS_FORECAST_BAND_COUNT; i++)
        fprintf(file.stream, ",low_%.0f,high_%.0f", 100 * tcsi_forecast_levels[i], 100 * tcsi_forecast_levels[i]);
    fprintf(file.stream, ",noise,doubt%s\n", tcs_result_has_knowledge(result) ? ",limit,limit_probability" : "");
    for (size_t i = 0; i < tcs_result_forecast_count(result); i++) write_forecast(result, i, file.stream);
    return tcsi_file_writer_commit(&file, err);
}
