/* SPDX-License-Identifier: Apache-2.0 */
#include "study/suite.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "io/read.h"
#include "series/period.h"
#include "series/time.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4096, SKAB_TRAIN_ROWS = 400, FILE_SIZE_MAX = 1 << 30, FOLDER_DEPTH_MAX = 4 };

/* ---- files ---- */

typedef struct listing {
    char **files;
    size_t count, capacity;
} listing;

static tcs_status add_file(listing *list, const char *relative, tcs_error *err)
{
    if (list->count == list->capacity) {
        size_t larger = list->capacity ? list->capacity * 2 : 64;
        char **grown = tcsi_realloc_array(list->files, larger, sizeof *grown);
        if (!grown) return tcsi_fail_memory(err, "a list of files");
        list->files = grown;
        list->capacity = larger;
    }
    list->files[list->count] = tcsi_strdup(relative);
    if (!list->files[list->count]) return tcsi_fail_memory(err, "a list of files");
    list->count++;
    return TCS_OK;
}

static tcs_status walk(const tcsi_suite *suite, const char *root, const char *relative, int depth, listing *list, tcs_error *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s%s%s", root, *relative ? "/" : "", relative);
    DIR *folder = opendir(path);
    if (!folder) return tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(errno));
    tcs_status status = TCS_OK;
    const struct dirent *entry;
    while (status == TCS_OK && (entry = readdir(folder))) {
        char child[PATH_SIZE];
        struct stat info;
        if (entry->d_name[0] == '.') continue;
        int length = snprintf(child, sizeof child, "%s%s%s", relative, *relative ? "/" : "", entry->d_name);
        if (length >= PATH_SIZE || snprintf(path, sizeof path, "%s/%s", root, child) >= PATH_SIZE) {
            status = tcsi_fail(err, TCS_E_LIMIT, "%s/%s: the path is too long", root, relative);
            continue;
        }
        bool is_there = stat(path, &info) == 0; /* a link to nowhere is a file that will say so in its own line */
        if (is_there && S_ISDIR(info.st_mode)) {
            if (depth < FOLDER_DEPTH_MAX) status = walk(suite, root, child, depth + 1, list, err);
            else status = tcsi_fail(err, TCS_E_LIMIT, "%s: folders in more than %d folders are not looked into", path, FOLDER_DEPTH_MAX);
        } else if ((!is_there || S_ISREG(info.st_mode)) && tcsi_text_ends_with(child, suite->extension)) {
            status = add_file(list, child, err);
        }
    }
    closedir(folder);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

tcs_status tcsi_suite_files(const tcsi_suite *suite, const char *folder, char ***ret_files, size_t *ret_count, tcs_error *err)
{
    listing list = { 0 };
    char root[PATH_SIZE];
    snprintf(root, sizeof root, "%s%s%s", folder, suite->subfolder ? "/" : "", suite->subfolder ? suite->subfolder : "");
    tcs_status status = walk(suite, root, "", 0, &list, err);
    if (status == TCS_OK && list.count == 0)
        status = tcsi_fail(err, TCS_E_FORMAT, "%s: no file ending in %s", root, suite->extension);
    if (status != TCS_OK) {
        tcsi_suite_files_free(list.files, list.count);
        return status;
    }
    qsort(list.files, list.count, sizeof *list.files, compare_names);
    *ret_files = list.files;
    *ret_count = list.count;
    return TCS_OK;
}

void tcsi_suite_files_free(char **files, size_t count)
{
    for (size_t i = 0; i < count; i++) tcsi_free(files[i]);
    tcsi_free(files);
}

/* ---- shared pieces of loading ---- */

/* The number after `mark` in name; 0 when there is none. */
static size_t number_after(const char *name, const char *mark)
{
    const char *at = strstr(name, mark);
    return at ? (size_t)strtoull(at + strlen(mark), NULL, 10) : 0;
}

static tcs_status read_labelled(const char *folder, const char *subfolder, const char *file, const tcsi_read_options *options,
                                tcsi_suite_series *series, tcs_error *err)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s%s%s", folder, subfolder ? subfolder : "", subfolder ? "/" : "", file);
    tcsi_read_report report;
    tcs_status status = tcsi_read_frame(path, options, &series->frame, &report, err);
    if (status != TCS_OK) return status;
    series->is_tabular = report.is_tabular;
    tcsi_read_report_deinit(&report);
    return TCS_OK;
}

/* Events from the labels, and the window that TSB-AD takes: the period of the first column. */
static tcs_status finish(tcsi_suite_series *series, const char *file, tcs_error *err)
{
    const tcsi_frame *frame = series->frame;
    if (!frame->labels) return tcsi_fail(err, TCS_E_FORMAT, "%s: no label column", file);
    if (series->train_row_count > frame->row_count) series->train_row_count = frame->row_count;
    tcs_status status = tcsi_span_list_from_flags(frame->labels, frame->row_count, &series->windows, err);
    if (status == TCS_OK && !series->is_tabular)
        status = tcsi_period_find(tcsi_frame_column(frame, 0), frame->row_count, &series->window, err);
    return status;
}

/* Keeps the channels whose names are not in `dropped`. */
static tcs_status drop_channels(tcsi_suite_series *series, const char *const *dropped, size_t dropped_count, tcs_error *err)
{
    const tcsi_frame *frame = series->frame;
    size_t *kept = TCSI_NEW_ARRAY(size_t, frame->channel_count), count = 0;
    tcsi_frame *selected;
    if (!kept) return tcsi_fail_memory(err, "channels");
    for (size_t c = 0; c < frame->channel_count; c++) {
        bool keep = true;
        for (size_t i = 0; i < dropped_count; i++) keep &= strcmp(frame->channels[c].name, dropped[i]) != 0;
        if (keep) kept[count++] = c;
    }
    tcs_status status = tcsi_frame_select(frame, kept, count, &selected, err);
    tcsi_free(kept);
    if (status != TCS_OK) return status;
    tcsi_frame_destroy(series->frame);
    series->frame = selected;
    return TCS_OK;
}

/* ---- the suites ---- */

static tcs_status load_tsb_ad(const char *folder, const char *file, tcsi_suite_series *series, tcs_error *err)
{
    tcsi_read_options options = { .label_name = "Label", .time_name = "", .as_series = true };
    tcs_status status = read_labelled(folder, NULL, file, &options, series, err);
    if (status != TCS_OK) return status;
    series->is_tabular = false;
    series->train_row_count = number_after(file, "_tr_");
    return finish(series, file, err);
}

static tcs_status load_skab(const char *folder, const char *file, tcsi_suite_series *series, tcs_error *err)
{
    static const char *const dropped[] = { "changepoint", "anomaly" };
    tcsi_read_options options = { .label_name = "label" };
    tcs_status status = read_labelled(folder, NULL, file, &options, series, err);
    if (status == TCS_OK) status = drop_channels(series, dropped, TCS_COUNT(dropped), err);
    if (status != TCS_OK) return status;
    series->train_row_count = SKAB_TRAIN_ROWS;
    return finish(series, file, err);
}

static tcs_status load_csv(const char *folder, const char *file, tcsi_suite_series *series, tcs_error *err)
{
    tcsi_read_options options = { 0 };
    tcs_status status = read_labelled(folder, NULL, file, &options, series, err);
    if (status != TCS_OK) return status;
    series->train_row_count = number_after(file, "_tr_");
    return finish(series, file, err);
}

static tcs_status load_adbench(const char *folder, const char *file, tcsi_suite_series *series, tcs_error *err)
{
    tcsi_read_options options = { .format = "npz" };
    tcs_status status = read_labelled(folder, NULL, file, &options, series, err);
    if (status != TCS_OK) return status;
    series->is_tabular = true;
    return finish(series, file, err);
}

/* Values separated by any white space, NaN where there is no number. */
static tcs_status parse_values(const char *text, const char *name, tcsi_frame *frame, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (const char *at = text; status == TCS_OK;) {
        at += strspn(at, " \t\r\n");
        if (!*at) break;
        char *end;
        double value = strtod(at, &end);
        if (end == at)
            return tcsi_fail(err, TCS_E_FORMAT, "%s: value %zu is no number", name, frame->row_count + 1);
        status = tcsi_frame_append(frame, &value, (int64_t)frame->row_count * 1000000000, 0, err);
        at = end;
    }
    return status;
}

static tcs_status load_ucr(const char *folder, const char *file, tcsi_suite_series *series, tcs_error *err)
{
    char path[PATH_SIZE];
    size_t numbers[3] = { 0 };
    const char *at = file + strlen(file);
    for (int i = 3; i-- > 0;) { /* _TRAIN_BEGIN_END.txt from the right */
        while (at > file && *at != '_') at--;
        numbers[i] = (size_t)strtoull(at + 1, NULL, 10);
        if (at > file) at--;
    }
    if (!(numbers[0] > 0 && numbers[0] < numbers[1] && numbers[1] <= numbers[2]))
        return tcsi_fail(err, TCS_E_FORMAT, "%s: expected a name ending in _TRAIN_BEGIN_END.txt", file);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, FILE_SIZE_MAX);
    tcs_status status = tcsi_frame_create(1, 0, true, true, &series->frame, err);
    if (status == TCS_OK) status = tcsi_file_read(path, &bytes, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&bytes, "", 0, err);
    if (status == TCS_OK) status = parse_values(bytes.data, file, series->frame, err);
    tcsi_buffer_deinit(&bytes);
    if (status != TCS_OK) return status;
    for (size_t t = numbers[1] - 1; t < numbers[2] && t < series->frame->row_count; t++) series->frame->labels[t] = 1;
    series->train_row_count = numbers[0];
    return finish(series, file, err);
}

/* The first row that bears the time; row_count when none does. */
static size_t row_at(const tcsi_frame *frame, int64_t time_ns)
{
    size_t t = 0;
    while (t < frame->row_count && frame->times_ns[t] != time_ns) t++;
    return t;
}

static tcs_status mark_windows(tcsi_suite_series *series, const tcsi_json_value *windows, const char *file, tcs_error *err)
{
    tcsi_frame *frame = series->frame;
    for (size_t i = 0; i < windows->item_count; i++) {
        const tcsi_json_value *pair = &windows->items[i];
        size_t rows[2] = { 0 };
        for (size_t k = 0; k < 2; k++) {
            const tcsi_json_value *stamp = pair->type == TCSI_JSON_ARRAY && pair->item_count == 2 ? &pair->items[k] : NULL;
            size_t size = stamp ? stamp->text_size : 0;
            tcsi_time_format format;
            int64_t time_ns;
            bool ok = stamp && stamp->type == TCSI_JSON_STRING && tcsi_time_guess(&stamp->text, &size, 1, &format)
                      && tcsi_time_parse(&format, stamp->text, size, &time_ns);
            rows[k] = ok ? row_at(frame, time_ns) : frame->row_count;
            if (rows[k] >= frame->row_count) return tcsi_fail(err, TCS_E_FORMAT, "%s: window %zu names no row of the file", file, i + 1);
        }
        if (rows[1] < rows[0]) return tcsi_fail(err, TCS_E_FORMAT, "%s: window %zu ends before it begins", file, i + 1);
        memset(frame->labels + rows[0], 1, rows[1] - rows[0] + 1);
        tcs_status status = tcsi_span_list_append(&series->windows, (tcsi_span){ rows[0], rows[1] + 1 }, err);
        if (status != TCS_OK) return status;
    }
    return TCS_OK;
}

static tcs_status load_nab(const char *folder, const char *file, tcsi_suite_series *series, tcs_error *err)
{
    char path[PATH_SIZE];
    tcsi_read_options options = { .time_name = "timestamp", .label_name = "" };
    tcsi_buffer bytes;
    tcsi_arena arena;
    const tcsi_json_value *root = NULL, *windows = NULL;
    tcs_status status = read_labelled(folder, "data", file, &options, series, err);
    if (status != TCS_OK) return status;
    tcsi_frame *frame = series->frame;
    frame->labels = TCSI_NEW_ZEROS(uint8_t, frame->stride);
    if (!frame->labels) return tcsi_fail_memory(err, "labels");
    tcsi_buffer_init(&bytes, FILE_SIZE_MAX);
    tcsi_arena_init(&arena, 0);
    snprintf(path, sizeof path, "%s/labels/combined_windows.json", folder);
    status = tcsi_file_read(path, &bytes, err);
    if (status == TCS_OK) status = tcsi_json_parse(bytes.data, bytes.size, &arena, &root, err);
    if (status == TCS_OK) {
        windows = tcsi_json_get(root, file);
        status = windows ? mark_windows(series, windows, file, err) : tcsi_fail(err, TCS_E_FORMAT, "%s: no entry for %s", path, file);
    }
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&bytes);
    size_t probation = frame->row_count * 15 / 100;
    series->train_row_count = probation < 750 ? probation : 750;
    if (status == TCS_OK) status = tcsi_period_find(tcsi_frame_column(frame, 0), frame->row_count, &series->window, err);
    return status;
}

const tcsi_suite tcsi_suites[] = {
    { "tsb-ad", "TSB-AD-U or TSB-AD-M: NAME_tr_N_1st_M.csv with a Label column", ".csv", NULL, load_tsb_ad },
    { "nab", "the Numenta Anomaly Benchmark: data/ and labels/", ".csv", "data", load_nab },
    { "ucr", "the UCR anomaly archive: NAME_TRAIN_BEGIN_END.txt", ".txt", NULL, load_ucr },
    { "skab", "SKAB: sensors with label and changepoint", ".csv", NULL, load_skab },
    { "adbench", "ADBench: tabular .npz with X and y", ".npz", NULL, load_adbench },
    { "csv", "any folder of CSV files with a label column", ".csv", NULL, load_csv },
};
const size_t tcsi_suite_count = TCS_COUNT(tcsi_suites);

tcs_status tcsi_suite_find(const char *name, const tcsi_suite **ret_suite, tcs_error *err)
{
    const char *names[TCS_COUNT(tcsi_suites)];
    for (size_t i = 0; i < tcsi_suite_count; i++) {
        names[i] = tcsi_suites[i].name;
        if (strcmp(name, names[i]) != 0) continue;
        *ret_suite = &tcsi_suites[i];
        return TCS_OK;
    }
    const char *nearest = tcsi_text_nearest(name, names, tcsi_suite_count);
    return tcsi_fail(err, TCS_E_INVALID, "no suite is called '%s'%s%s%s", name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                     nearest ? "'?" : "");
}

void tcsi_suite_series_deinit(tcsi_suite_series *series)
{
    tcsi_frame_destroy(series->frame);
    tcsi_span_list_deinit(&series->windows);
    *series = (tcsi_suite_series){ 0 };
}
