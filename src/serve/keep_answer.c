/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/keep_answer.h"

#include "base/log.h"
#include "serve/shard/cell.h"
#include "series/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_SIZE_MAX = 1 << 22 };

/* NULL with TCS_OK: no JSON, and so nothing that whoever took the request let through. */
static tcs_status parse(const tcsi_action *action, tcsi_arena *arena, const tcsi_json_value **ret_document, tcs_error *err)
{
    *ret_document = NULL;
    const tcs_status status = tcsi_json_parse(action->document, strlen(action->document), arena, ret_document, err);
    return status == TCS_E_FORMAT ? TCS_OK : status;
}

static tcs_status put_label(tcsi_store *store, const tcsi_action *action, const char *episode_id, const char *verdict, const char *undoes,
                            tcs_error *err)
{
    const tcsi_store_label label = { .id = action->id, .episode_id = episode_id, .verdict = verdict, .author = action->who,
                                     .time_ns = action->time_ns, .undoes = undoes, .document = action->document };
    return tcsi_store_label_put(store, &label, err);
}

tcs_status tcsi_keep_answer(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    const tcsi_json_value *document;
    tcsi_arena arena;
    tcsi_arena_init(&arena, ARENA_SIZE_MAX);
    tcs_status status = parse(action, &arena, &document, err);
    if (status == TCS_OK && document) status = put_label(store, action, action->object, tcsi_json_text_of(document, "verdict"), "", err);
    tcsi_arena_deinit(&arena);
    return status;
}

typedef struct finding {
    const char *id, *undo_id;
    bool is_there, is_undone, is_done; /* done: by this very undo, before a crash */
} finding;

static bool find_label(void *context, const tcsi_store_label *label)
{
    finding *f = context;
    if (strcmp(label->id, f->id) == 0) {
        f->is_there = true;
        f->is_undone = label->is_undone;
    }
    f->is_done |= strcmp(label->id, f->undo_id) == 0;
    return true;
}

tcs_status tcsi_keep_undo(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    const tcsi_json_value *document;
    finding f = { .id = action->object, .undo_id = action->id };
    tcsi_arena arena;
    tcsi_arena_init(&arena, ARENA_SIZE_MAX);
    tcs_status status = parse(action, &arena, &document, err);
    if (status == TCS_OK && document)
        status = tcsi_store_label_list(store, tcsi_json_text_of(document, "episode"), 0, 0, find_label, &f, err);
    if (status == TCS_OK && f.is_there && !f.is_undone && !f.is_done)
        status = put_label(store, action, tcsi_json_text_of(document, "episode"), "", action->object, err);
    tcsi_arena_deinit(&arena);
    return status;
}

/* ---- a missed event ---- */

static void write_missed(const tcsi_json_value *mark, const char *id, tcsi_json_writer *writer)
{
    const tcsi_json_value *number = tcsi_json_get(mark, "number");
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "id", id);
    tcsi_json_put_string(writer, "kind", "missed");
    tcsi_json_put_string(writer, "state", tcsi_live_state_names[TCSI_LIVE_RESOLVED]);
    tcsi_json_put_string(writer, "series", tcsi_json_text_of(mark, "series"));
    tcsi_json_put_integer(writer, "number", number ? (int64_t)number->number : 0);
    tcsi_json_put_string(writer, "begin", tcsi_json_text_of(mark, "from"));
    tcsi_json_put_string(writer, "updated", tcsi_json_text_of(mark, "to"));
    tcsi_json_put_string(writer, "end", tcsi_json_text_of(mark, "to"));
    tcsi_json_put_number(writer, "severity", 50);
    tcsi_json_put_string(writer, "suppressed_by", "");
    const char *reason = tcsi_json_text_of(mark, "reason");
    tcsi_json_put_string(writer, "summary", *reason ? reason : "an event that was missed");
    tcsi_json_end_object(writer);
}

static tcs_status put_missed(tcsi_store *store, const tcsi_action *action, const tcsi_json_value *mark, const char *id, tcs_error *err)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    const char *from = tcsi_json_text_of(mark, "from"), *to = tcsi_json_text_of(mark, "to");
    tcsi_store_record record = { .kind = TCSI_STORE_EPISODE, .id = id, .state = TCSI_LIVE_RESOLVED, .updated_ns = action->time_ns };
    tcsi_json_writer writer;
    tcsi_buffer document;
    if (!tcsi_time_parse(&iso, from, strlen(from), &record.begin_ns) || !tcsi_time_parse(&iso, to, strlen(to), &record.end_ns))
        return TCS_OK; /* whoever took the request checked it; another version's is left out */
    tcsi_buffer_init(&document, TCSI_ACTION_SIZE_MAX);
    tcsi_json_writer_init(&writer, &document, false);
    write_missed(mark, id, &writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    record.document = document.data;
    if (status == TCS_OK) status = tcsi_store_record_put(store, &record, err);
    tcsi_buffer_deinit(&document);
    return status;
}

tcs_status tcsi_keep_mark(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    char id[sizeof TCSI_MISSED_PREFIX + TCSI_ACTION_ID_SIZE];
    const tcsi_json_value *mark;
    tcsi_arena arena;
    snprintf(id, sizeof id, TCSI_MISSED_PREFIX "%s", action->id);
    tcsi_arena_init(&arena, ARENA_SIZE_MAX);
    tcs_status status = parse(action, &arena, &mark, err);
    if (status == TCS_OK && mark) status = put_missed(store, action, mark, id, err);
    if (status == TCS_OK && mark) status = put_label(store, action, id, tcsi_answer_verdict_names[TCSI_ANSWER_TRUE], "", err);
    tcsi_arena_deinit(&arena);
    return status;
}

/* ---- told ---- */

static tcs_status publish(tcsi_events *events, const tcsi_action *action, tcs_error *err)
{
    char time[TCSI_TIME_TEXT_SIZE];
    tcsi_json_writer writer;
    tcsi_buffer text;
    (void)tcsi_time_format_iso(action->time_ns, time, sizeof time);
    tcsi_buffer_init(&text, 2 * TCSI_ACTION_SIZE_MAX);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "id", action->id);
    tcsi_json_put_string(&writer, "action", tcsi_action_names[action->kind]);
    tcsi_json_put_string(&writer, action->kind == TCSI_ACTION_UNDO ? "answer" : "episode", action->object);
    tcsi_json_put_string(&writer, "who", action->who);
    tcsi_json_put_string(&writer, "time", time);
    tcsi_json_key(&writer, "document");
    tcsi_json_raw(&writer, action->document);
    tcsi_json_end_object(&writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) status = tcsi_events_publish(events, "answer", text.data, err);
    tcsi_buffer_deinit(&text);
    return status;
}

void tcsi_publish_answers(tcsi_events *events, const tcsi_action *actions, size_t action_count)
{
    for (size_t i = 0; i < action_count; i++) {
        const tcsi_action_kind kind = actions[i].kind;
        tcs_error failure;
        if (kind != TCSI_ACTION_ANSWER && kind != TCSI_ACTION_UNDO && kind != TCSI_ACTION_MARK) continue;
        if (publish(events, &actions[i], &failure) != TCS_OK)
            tcsi_log(TCSI_LOG_WARNING, "SERVE-EVENT-LOST", "listeners were not told of answer %s: %s", actions[i].id, failure.text);
    }
}
