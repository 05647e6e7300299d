/* io/write.c -- rows of scores and whole frames as text.
 *
 * Each row is formatted into a buffer that is reused, then written at once; the stream's error flag is looked at after
 * every row, so that a full disk stops a long run where it happens.  SPDX-License-Identifier: Apache-2.0 */
#include "io/write.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "series/time.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { LINE_SIZE_MAX = 1 << 30 };

struct tcsi_scores_writer {
    tcsi_scores_options options;
    tcsi_file_writer file;
    tcsi_buffer line;
    char *name; /* for messages */
};

static const char *state_name(tcs_score_state state)
{
    switch (state) {
    case TCS_SCORE_WARMUP: return "warmup";
    case TCS_SCORE_MISSING: return "missing";
    case TCS_SCORE_READY: return "ready";
    }
    return "missing";
}

static tcs_status write_line(tcsi_file_writer *file, const tcsi_buffer *line, const char *name, tcs_error *err)
{
    errno = 0;
    size_t written = fwrite(line->data, 1, line->size, file->stream);
    if (written == line->size && !ferror(file->stream)) return TCS_OK;
    return tcsi_fail(err, TCS_E_IO, "%s: cannot be written: %s", name, strerror(errno ? errno : EIO));
}

static tcs_status put_number(tcsi_buffer *line, double value, tcs_error *err)
{
    char text[TCSI_NUMBER_TEXT_SIZE];
    if (!isfinite(value)) return TCS_OK; /* empty: missing */
    return tcsi_buffer_append(line, text, tcsi_number_format(value, text), err);
}

static tcs_status put_time(tcsi_buffer *line, int64_t time_ns, tcs_error *err)
{
    char text[TCSI_TIME_TEXT_SIZE];
    return tcsi_buffer_append(line, text, tcsi_time_format_iso(time_ns, text, sizeof text), err);
}

static tcs_status put_uncertainty(tcsi_buffer *line, const tcsi_scores_row *row, tcs_error *err)
{
    bool ready = row->score.state == TCS_SCORE_READY;
    tcs_status status = tcsi_buffer_append(line, ",", 1, err);
    if (status == TCS_OK && ready) status = put_number(line, (double)row->score.uncertainty, err);
    if (status == TCS_OK) status = tcsi_buffer_append(line, ",", 1, err);
    if (status == TCS_OK && ready) status = put_number(line, (double)row->score.noise, err);
    return status == TCS_OK ? tcsi_buffer_printf(line, err, ",%d", row->sure) : status;
}

static tcs_status put_csv(tcsi_scores_writer *writer, const tcsi_scores_row *row, tcs_error *err)
{
    tcsi_buffer *line = &writer->line;
    bool ready = row->score.state == TCS_SCORE_READY;
    tcs_status status = tcsi_buffer_printf(line, err, "%llu,", (unsigned long long)row->row);
    if (status == TCS_OK && writer->options.has_times) status = put_time(line, row->time_ns, err);
    if (status == TCS_OK) status = tcsi_buffer_append(line, ",", 1, err);
    if (status == TCS_OK && ready) status = put_number(line, row->score.value, err);
    if (status == TCS_OK) status = tcsi_buffer_append(line, ",", 1, err);
    if (status == TCS_OK && ready && row->score.p_value > 0) status = put_number(line, row->score.p_value, err);
    if (status == TCS_OK) status = tcsi_buffer_printf(line, err, ",%s,%d,", state_name(row->score.state), row->anomaly);
    if (status == TCS_OK && ready) status = put_number(line, row->probability, err);
    if (status == TCS_OK && writer->options.has_uncertainty) status = put_uncertainty(line, row, err);
    if (status == TCS_OK && writer->options.has_labels) status = tcsi_buffer_printf(line, err, ",%d", row->label);
    if (status == TCS_OK) status = tcsi_buffer_append(line, "\n", 1, err);
    return status;
}

static tcs_status put_ndjson(tcsi_scores_writer *writer, const tcsi_scores_row *row, tcs_error *err)
{
    tcsi_json_writer json;
    char text[TCSI_TIME_TEXT_SIZE];
    bool ready = row->score.state == TCS_SCORE_READY;
    tcsi_json_writer_init(&json, &writer->line, false);
    tcsi_json_begin_object(&json);
    tcsi_json_key(&json, "row");
    tcsi_json_integer(&json, (int64_t)row->row);
    tcsi_json_key(&json, "time");
    if (writer->options.has_times) (void)tcsi_time_format_iso(row->time_ns, text, sizeof text); /* the size suffices */
    tcsi_json_string(&json, writer->options.has_times ? text : NULL);
    tcsi_json_key(&json, "score");
    tcsi_json_number(&json, ready ? row->score.value : NAN);
    tcsi_json_key(&json, "p_value");
    tcsi_json_number(&json, ready && row->score.p_value > 0 ? row->score.p_value : NAN);
    tcsi_json_key(&json, "state");
    tcsi_json_string(&json, state_name(row->score.state));
    tcsi_json_key(&json, "anomaly");
    tcsi_json_integer(&json, row->anomaly);
    tcsi_json_key(&json, "probability");
    tcsi_json_number(&json, ready ? row->probability : NAN);
    if (writer->options.has_uncertainty) {
        tcsi_json_key(&json, "uncertainty");
        tcsi_json_number(&json, ready ? (double)row->score.uncertainty : NAN);
        tcsi_json_key(&json, "noise");
        tcsi_json_number(&json, ready ? (double)row->score.noise : NAN);
        tcsi_json_key(&json, "sure");
        tcsi_json_integer(&json, row->sure);
    }
    if (writer->options.has_labels) {
        tcsi_json_key(&json, "label");
        tcsi_json_integer(&json, row->label);
    }
    tcsi_json_end_object(&json);
    tcs_status status = tcsi_json_finish(&json, err);
    return status == TCS_OK ? tcsi_buffer_append(&writer->line, "\n", 1, err) : status;
}

bool tcsi_scores_is_ndjson(const char *path)
{
    return tcsi_text_ends_with(path, ".ndjson") || tcsi_text_ends_with(path, ".jsonl") || tcsi_text_ends_with(path, ".json");
}

/* Releases everything but the file, which is committed or aborted already. */
static void release(tcsi_scores_writer *writer)
{
    tcsi_buffer_deinit(&writer->line);
    tcsi_free(writer->name);
    tcsi_free(writer);
}

tcs_status tcsi_scores_open(const char *path, const tcsi_scores_options *options, tcsi_scores_writer **ret_writer, tcs_error *err)
{
    tcsi_scores_writer *writer = TCSI_NEW(tcsi_scores_writer);
    if (!writer) return tcsi_fail_memory(err, "a scores file");
    writer->options = *options;
    tcsi_buffer_init(&writer->line, LINE_SIZE_MAX);
    writer->name = tcsi_strdup(strcmp(path, "-") == 0 ? "standard output" : path);
    tcs_status status = writer->name ? tcsi_file_writer_open(path, &writer->file, err) : tcsi_fail_memory(err, "a scores file");
    if (status == TCS_OK && !options->ndjson) {
        status = tcsi_buffer_printf(&writer->line, err, "row,time,score,p_value,state,anomaly,probability%s%s\n",
                                    options->has_uncertainty ? ",uncertainty,noise,sure" : "", options->has_labels ? ",label" : "");
        if (status == TCS_OK) status = write_line(&writer->file, &writer->line, writer->name, err);
    }
    if (status == TCS_OK) *ret_writer = writer;
    else tcsi_scores_abort(writer);
    return status;
}

tcs_status tcsi_scores_put(tcsi_scores_writer *writer, const tcsi_scores_row *row, tcs_error *err)
{
    tcsi_buffer_clear(&writer->line);
    tcs_status status = writer->options.ndjson ? put_ndjson(writer, row, err) : put_csv(writer, row, err);
    return status == TCS_OK ? write_line(&writer->file, &writer->line, writer->name, err) : status;
}

tcs_status tcsi_scores_flush(tcsi_scores_writer *writer, tcs_error *err)
{
    if (fflush(writer->file.stream) == 0) return TCS_OK;
    return tcsi_fail(err, TCS_E_IO, "%s: cannot be written: %s", writer->name, strerror(errno));
}

tcs_status tcsi_scores_commit(tcsi_scores_writer *writer, tcs_error *err)
{
    tcs_status status = tcsi_file_writer_commit(&writer->file, err);
    release(writer);
    return status;
}

void tcsi_scores_abort(tcsi_scores_writer *writer)
{
    if (!writer) return;
    tcsi_file_writer_abort(&writer->file);
    release(writer);
}

/* ---- frames ---- */

/* Quoted when it must be, RFC 4180; also when it could be taken for a comment. */
static tcs_status put_name(tcsi_buffer *line, const char *name, tcs_error *err)
{
    if (*name && !strpbrk(name, "\",\r\n;|\t") && *name != '#' && *name != ' ') return tcsi_buffer_puts(line, name, err);
    tcs_status status = tcsi_buffer_append(line, "\"", 1, err);
    for (; *name && status == TCS_OK; name++) status = tcsi_buffer_append(line, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1, err);
    return status == TCS_OK ? tcsi_buffer_append(line, "\"", 1, err) : status;
}

static tcs_status put_header(tcsi_buffer *line, const tcsi_frame *frame, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (frame->times_ns) status = put_name(line, frame->time_name ? frame->time_name : "time", err);
    for (size_t c = 0; c < frame->channel_count && status == TCS_OK; c++) {
        if (c > 0 || frame->times_ns) status = tcsi_buffer_append(line, ",", 1, err);
        if (status == TCS_OK) status = put_name(line, frame->channels[c].name, err);
    }
    if (status == TCS_OK && frame->labels) {
        status = tcsi_buffer_append(line, ",", 1, err);
        if (status == TCS_OK) status = put_name(line, frame->label_name ? frame->label_name : "label", err);
    }
    return status == TCS_OK ? tcsi_buffer_append(line, "\n", 1, err) : status;
}

static tcs_status put_row(tcsi_buffer *line, const tcsi_frame *frame, size_t row, tcs_error *err)
{
    tcs_status status = frame->times_ns ? put_time(line, frame->times_ns[row], err) : TCS_OK;
    bool lone = !frame->times_ns && !frame->labels && frame->channel_count == 1;
    for (size_t c = 0; c < frame->channel_count && status == TCS_OK; c++) {
        double value = tcsi_frame_column(frame, c)[row];
        if (c > 0 || frame->times_ns) status = tcsi_buffer_append(line, ",", 1, err);
        if (status == TCS_OK && lone && !isfinite(value)) status = tcsi_buffer_puts(line, "NaN",
                                                                                    err); /* a blank line would be passed over */
        else if (status == TCS_OK) status = put_number(line, value, err);
    }
    if (status == TCS_OK && frame->labels) status = tcsi_buffer_puts(line, frame->labels[row] ? ",1" : ",0", err);
    return status == TCS_OK ? tcsi_buffer_append(line, "\n", 1, err) : status;
}

tcs_status tcsi_write_frame(const char *path, const tcsi_frame *frame, tcs_error *err)
{
    tcsi_file_writer file = { 0 };
    tcsi_buffer line;
    tcsi_buffer_init(&line, LINE_SIZE_MAX);
    const char *name = strcmp(path, "-") == 0 ? "standard output" : path;
    tcs_status status = tcsi_file_writer_open(path, &file, err);
    if (status == TCS_OK) status = put_header(&line, frame, err);
    if (status == TCS_OK) status = write_line(&file, &line, name, err);
    for (size_t r = 0; r < frame->row_count && status == TCS_OK; r++) {
        tcsi_buffer_clear(&line);
        status = put_row(&line, frame, r, err);
        if (status == TCS_OK) status = write_line(&file, &line, name, err);
    }
    if (status == TCS_OK) status = tcsi_file_writer_commit(&file, err);
    else tcsi_file_writer_abort(&file);
    tcsi_buffer_deinit(&line);
    return status;
}
