/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/models/canary.h"

#include "base/arena.h"
#include "base/rng.h"
#include "serve/action.h"
#include "serve/labels.h"
#include "serve/shard/kind.h"
#include "series/time.h"

#include <math.h>
#include <string.h>

enum { ENTRY_SIZE_MAX = 1 << 20, DOCUMENT_SIZE_MAX = 1 << 26 };

/* ---- who said what ---- */

static bool take_entry(void *context, const tcsi_store_audit_entry *entry)
{
    tcsi_canary *canary = context;
    const tcsi_json_value *root = NULL;
    tcsi_arena arena;
    tcs_error ignored;
    canary->sequence = entry->sequence;
    if (strcmp(entry->action, tcsi_action_names[TCSI_ACTION_SETTING]) != 0 || strcmp(entry->object, TCSI_SETTING_CANARY) != 0) return true;
    tcsi_arena_init(&arena, ENTRY_SIZE_MAX);
    const bool is_json = tcsi_json_parse(entry->detail, strlen(entry->detail), &arena, &root, &ignored) == TCS_OK;
    const tcsi_json_value *document = is_json ? tcsi_json_get(root, "document") : NULL;
    if (!document) document = root;
    const char *model = is_json ? tcsi_json_text_of(document, "model") : "";
    const double share = is_json ? tcsi_json_number_of(document, "share", NAN) : NAN;
    const bool is_on = strlen(model) == TCSI_HASH_TEXT_SIZE - 1 && share > 0 && share <= 1;
    *canary = (tcsi_canary){ .share = is_on ? share : 0, .begin_ns = entry->time_ns, .sequence = entry->sequence };
    if (is_on) memcpy(canary->model, model, sizeof canary->model);
    tcsi_arena_deinit(&arena);
    return true;
}

tcs_status tcsi_canary_read(tcsi_store *store, tcsi_canary *canary, tcs_error *err)
{
    return tcsi_store_audit_list(store, canary->sequence, 0, take_entry, canary, err);
}

bool tcsi_canary_holds(const tcsi_canary *canary, uint32_t series)
{
    return canary->share > 0 && (double)(tcsi_mix(series + 0x9e3779b97f4a7c15u) >> 11) * 0x1p-53 < canary->share;
}

tcs_status tcsi_canary_document(const char *model, double share, const char *reason, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "model", model);
    tcsi_json_put_number(&writer, "share", *model ? share : 0);
    tcsi_json_put_string(&writer, "reason", reason);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

tcs_status tcsi_canary_say(tcsi_store *store, const char *model, double share, const char *reason, const char *who, int64_t now_ns,
                           tcs_error *err)
{
    char id[TCSI_ACTION_ID_SIZE];
    tcsi_buffer detail;
    if (*model && !(share > 0 && share <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "a share of %g; expected more than 0 and at most 1 of all series", share);
    tcsi_buffer_init(&detail, 1 << 16);
    tcs_status status = tcsi_canary_document(model, share, reason, &detail, err);
    if (status == TCS_OK) status = tcsi_action_id(id, err);
    const tcsi_store_audit_entry entry = { .id = id, .time_ns = now_ns, .actor = who, .action = tcsi_action_names[TCSI_ACTION_SETTING],
                                           .object = TCSI_SETTING_CANARY, .detail = detail.data };
    if (status == TCS_OK) status = tcsi_store_audit_put(store, &entry, err);
    tcsi_buffer_deinit(&detail);
    return status;
}

/* ---- what became of it ---- */

typedef struct measuring {
    const tcsi_canary *canary;
    const tcsi_labels *labels;
    tcsi_canary_group *groups;
    tcsi_arena arena;
} measuring;

/* Anomalies that opened since; an episode that was confirmed is so for ever, or resolved. */
static bool count_episode(void *context, const tcsi_store_record *record)
{
    measuring *m = context;
    const tcsi_json_value *root = NULL;
    tcs_error ignored;
    if (record->begin_ns < m->canary->begin_ns) return true;
    tcsi_arena_reset(&m->arena);
    if (tcsi_json_parse(record->document, strlen(record->document), &m->arena, &root, &ignored) != TCS_OK) return true;
    const double number = tcsi_json_number_of(root, "number", NAN);
    if (strcmp(tcsi_json_text_of(root, "kind"), tcsi_live_kind_names[TCSI_LIVE_ANOMALY]) != 0) return true;
    if (!(number >= 0 && number <= UINT32_MAX)) return true;
    tcsi_canary_group *group = &m->groups[!tcsi_canary_holds(m->canary, (uint32_t)number)];
    const tcsi_labelled_item *said = tcsi_labels_find(m->labels, record->id);
    const bool is_confirmed = record->state == TCSI_LIVE_CONFIRMED || record->state == TCSI_LIVE_RESOLVED || said;
    group->opened++;
    group->confirmed += is_confirmed;
    group->said_true += said && strcmp(said->answer, "true") == 0;
    group->said_false += said && strcmp(said->answer, "expected") == 0;
    return true;
}

tcs_status tcsi_canary_measure(tcsi_store *store, const tcsi_canary *canary, uint32_t series_count, tcsi_canary_group ret_groups[2],
                               tcs_error *err)
{
    tcsi_labels labels;
    bool is_new = false;
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .from_ns = canary->begin_ns };
    memset(ret_groups, 0, 2 * sizeof *ret_groups);
    for (uint32_t i = 0; i < series_count; i++) ret_groups[!tcsi_canary_holds(canary, i)].series_count++;
    tcsi_labels_init(&labels);
    tcs_status status = tcsi_labels_list(&labels, store, &is_new, err);
    if (status == TCS_OK && is_new) status = tcsi_labels_combine(&labels, err);
    measuring m = { .canary = canary, .labels = &labels, .groups = ret_groups };
    tcsi_arena_init(&m.arena, DOCUMENT_SIZE_MAX);
    if (status == TCS_OK) status = tcsi_store_record_list(store, &query, count_episode, &m, err);
    tcsi_arena_deinit(&m.arena);
    tcsi_labels_deinit(&labels);
    return status;
}

static void write_group(const tcsi_canary_group *group, const char *name, tcsi_json_writer *writer)
{
    tcsi_json_key(writer, name);
    tcsi_json_begin_object(writer);
    if (group->series_count) tcsi_json_put_integer(writer, "series", (int64_t)group->series_count); /* else nobody has counted them */
    tcsi_json_put_integer(writer, "opened", (int64_t)group->opened);
    tcsi_json_put_integer(writer, "confirmed", (int64_t)group->confirmed);
    tcsi_json_put_integer(writer, "said_true", (int64_t)group->said_true);
    tcsi_json_put_integer(writer, "said_false", (int64_t)group->said_false);
    tcsi_json_end_object(writer);
}

void tcsi_canary_write(const tcsi_canary *canary, const tcsi_canary_group *groups, tcsi_json_writer *writer)
{
    char since[TCSI_TIME_TEXT_SIZE];
    const bool is_on = canary->share > 0;
    tcsi_json_begin_object(writer);
    tcsi_json_put_bool(writer, "is_on", is_on);
    tcsi_json_put_string(writer, "model", canary->model);
    tcsi_json_put_number(writer, "share", canary->share);
    if (is_on && tcsi_time_format_iso(canary->begin_ns, since, sizeof since) > 0) tcsi_json_put_string(writer, "since", since);
    if (is_on && groups) {
        write_group(&groups[0], "canary", writer);
        write_group(&groups[1], "others", writer);
    }
    tcsi_json_end_object(writer);
}
