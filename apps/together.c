/* apps/together.c -- what stays of the episodes of many inputs.  SPDX-License-Identifier: Apache-2.0 */
#include "together.h"

#include "base/url.h"

#include <stdlib.h>

tcs_status cli_together_begin(const cli_together *asked, tcs_joint **ret_joint, tcs_error *err)
{
    char *end;
    if (!asked->level) {
        *ret_joint = NULL;
        if (!asked->method) return TCS_OK;
        return tcsi_fail(err, TCS_E_INVALID, "--fdr-method %s: --fdr says which share may be chance", asked->method);
    }
    const double level = strtod(asked->level, &end);
    if (end == asked->level || *end || !(level > 0 && level < 1))
        return tcsi_fail(err, TCS_E_INVALID, "--fdr %s: expected a number above 0 and below 1", asked->level);
    return tcs_joint_create(asked->method, level, ret_joint, err);
}

static void format_onset(const tcs_joint_episode *kept, char *ret_text, size_t size)
{
    if (kept->has_real_times) (void)tcs_time_format(kept->episode.time_begin_ns, ret_text, size);
    else snprintf(ret_text, size, "row %zu", kept->episode.row_begin);
}

static void print(const tcs_joint *joint, const tcs_joint_summary *s, const char *const *inputs, size_t top)
{
    char onset[64], shown[1024];
    printf("\n%zu input%s together: of what stays at most %g %% is chance, on average (%s)\n", s->series_count,
           s->series_count == 1 ? "" : "s", 100 * s->level, s->method);
    printf("assumed: each input's normal rows are like those it was compared with; %s\n\n", s->assumes);
    printf("  %zu of %zu episode%s sta%s, in %zu of %zu input%s\n", s->kept_episode_count, s->episode_count,
           s->episode_count == 1 ? "" : "s", s->kept_episode_count == 1 ? "ys" : "y", s->kept_series_count, s->series_count,
           s->series_count == 1 ? "" : "s");
    for (size_t i = 0; i < s->kept_episode_count && i < top; i++) {
        const tcs_joint_episode kept = tcs_joint_kept(joint, i);
        format_onset(&kept, onset, sizeof onset);
        printf("  %4zu  severity %3.0f  p %-10.3g %-22s %s\n", i + 1, kept.episode.severity, kept.p_value, onset,
               tcsi_url_redact(inputs[kept.series], shown, sizeof shown));
    }
    const size_t more = s->kept_episode_count > top ? s->kept_episode_count - top : 0;
    if (more > 0) printf("  ... and %zu more; --top %zu shows all\n", more, s->kept_episode_count);
}

static void write_kept(const tcs_joint_episode *kept, const char *input, tcsi_json_writer *w)
{
    char text[1024];
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "input");
    tcsi_json_string(w, tcsi_url_redact(input, text, sizeof text));
    tcsi_json_key(w, "rank");
    tcsi_json_integer(w, (int64_t)kept->rank + 1);
    tcsi_json_key(w, "row_onset");
    tcsi_json_integer(w, (int64_t)kept->episode.row_begin);
    if (kept->has_real_times) {
        (void)tcs_time_format(kept->episode.time_begin_ns, text, sizeof text);
        tcsi_json_key(w, "time_onset");
        tcsi_json_string(w, text);
    }
    tcsi_json_key(w, "severity");
    tcsi_json_number(w, kept->episode.severity);
    tcsi_json_key(w, "p_value");
    tcsi_json_number(w, kept->p_value);
    tcsi_json_end_object(w);
}

static void write(const tcs_joint *joint, const tcs_joint_summary *s, const char *const *inputs, tcsi_json_writer *w)
{
    const struct { const char *key; size_t count; } counts[] = {
        { "inputs", s->series_count }, { "tests", s->test_count }, { "episodes", s->episode_count },
        { "episodes_staying", s->kept_episode_count }, { "inputs_staying", s->kept_series_count },
    };
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "method");
    tcsi_json_string(w, s->method);
    tcsi_json_key(w, "level");
    tcsi_json_number(w, s->level);
    tcsi_json_key(w, "assumed");
    tcsi_json_string(w, s->assumes);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        tcsi_json_key(w, counts[i].key);
        tcsi_json_integer(w, (int64_t)counts[i].count);
    }
    tcsi_json_key(w, "staying");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < s->kept_episode_count; i++) {
        const tcs_joint_episode kept = tcs_joint_kept(joint, i);
        write_kept(&kept, inputs[kept.series], w);
    }
    tcsi_json_end_array(w);
    tcsi_json_end_object(w);
}

tcs_status cli_together_tell(tcs_joint *joint, const char *const *inputs, size_t top, tcsi_json_writer *json, bool *ret_any,
                             tcs_error *err)
{
    tcs_joint_summary summary;
    tcs_status status = tcs_joint_judge(joint, &summary, err);
    if (status != TCS_OK) return status;
    if (json) write(joint, &summary, inputs, json);
    else print(joint, &summary, inputs, top > 0 ? top : 10);
    *ret_any = summary.kept_episode_count > 0;
    return TCS_OK;
}
