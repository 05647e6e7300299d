/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/api.h"

#include "series/time.h"

#include <string.h>

tcs_status tcsi_api_mount(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    static tcs_status (*const subjects[])(tcsi_router *, tcsi_api *, tcs_error *) = {
        tcsi_api_mount_rows,
        tcsi_api_mount_status,
        tcsi_api_mount_watch,
        tcsi_api_mount_series,
        tcsi_api_mount_episodes,
        tcsi_api_mount_incidents,
        tcsi_api_mount_silences,
        tcsi_api_mount_audit,
        tcsi_api_mount_models,
        tcsi_api_mount_explanation,
        tcsi_api_mount_record,
        tcsi_api_mount_answers,
        tcsi_api_mount_review,
        tcsi_api_mount_quality,
        tcsi_api_mount_history,
        tcsi_api_mount_query,
    };
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < TCS_COUNT(subjects); i++) status = subjects[i](router, api, err);
    return status;
}

tcs_status tcsi_api_series_name(const tcsi_api *api, uint32_t number, tcsi_buffer *out, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(api->live), number);
    tcsi_key key;
    const tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &key, err);
    return status == TCS_OK ? tcsi_key_print(&key, out, err) : status;
}

void tcsi_api_put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    if (tcsi_time_format_iso(time_ns, text, sizeof text) > 0) tcsi_json_put_string(writer, key, text);
}

bool tcsi_api_time_parameter(const tcsi_request *request, const char *name, int64_t *ret_ns, tcs_error *err)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    const char *text = tcsi_request_text(request, name);
    if (!text || tcsi_time_parse(&iso, text, strlen(text), ret_ns)) return true;
    (void)!tcsi_fail(err, TCS_E_INVALID, "%s is '%s', expected a time like 2026-01-05T00:00:00Z or seconds since 1970", name, text);
    return false;
}

tcs_status tcsi_api_records(tcsi_api *api, const tcsi_store_record_query *query, tcsi_store_record_each each, void *context, tcs_error *err)
{
    pthread_mutex_lock(&api->store_mutex);
    const tcs_status status = tcsi_store_record_list(api->store, query, each, context, err);
    pthread_mutex_unlock(&api->store_mutex);
    return status;
}

tcs_status tcsi_api_act(tcsi_api *api, const tcsi_request *request, tcsi_action_kind kind, const char *object, const char *document,
                        char ret_id[TCSI_ACTION_ID_SIZE], bool *ret_is_kept, tcs_error *err)
{
    const tcsi_action action = { .kind = kind, .id = ret_id, .who = *request->who ? request->who : "local",
                                 .role = tcsi_role_names[request->role], .peer = request->peer, .object = object,
                                 .document = *document ? document : "{}", .time_ns = request->received_ns };
    const tcs_status status = tcsi_action_id(ret_id, err);
    return status == TCS_OK ? tcsi_intake_act(api->intake, &action, ret_is_kept, err) : status;
}

tcs_status tcsi_api_reply_id(tcsi_response *response, const char *id, bool is_kept, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "id", id);
    tcsi_json_end_object(&writer);
    response->status = is_kept ? 201 : 202;
    return tcsi_json_finish(&writer, err);
}
