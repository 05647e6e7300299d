/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/api.h"

#include "serve/models/canary.h"
#include "serve/models/models.h"

#include <math.h>
#include <string.h>

static void write_model(const tcsi_model *model, tcsi_json_writer *writer)
{
    tcsi_json_put_string(writer, "hash", model->hash);
    tcsi_json_put_string(writer, "name", model->name);
    tcsi_json_put_string(writer, "role", model->is_champion ? "champion" : model->is_challenger ? "challenger" : "");
    tcsi_json_put_integer(writer, "size", (int64_t)model->size);
    tcsi_api_put_time(writer, "created", model->created_ns);
    tcsi_json_key(writer, "card");
    tcsi_json_raw(writer, model->card);
}

static bool list_one(void *context, const tcsi_model *model)
{
    tcsi_json_begin_object(context);
    write_model(model, context);
    tcsi_json_end_object(context);
    return true;
}

/* What is on trial, and what became of both groups of series. */
static tcs_status write_canary(tcsi_api *api, tcsi_json_writer *writer, tcs_error *err)
{
    tcsi_canary canary = { .share = 0 };
    tcsi_canary_group groups[2] = { { .opened = 0 } };
    const size_t series_count = tcsi_live_stat(api->live).series_count;
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = tcsi_canary_read(api->store, &canary, err);
    if (status == TCS_OK && canary.share > 0) status = tcsi_canary_measure(api->store, &canary, (uint32_t)series_count, groups, err);
    pthread_mutex_unlock(&api->store_mutex);
    tcsi_json_key(writer, "canary");
    tcsi_canary_write(&canary, groups, writer);
    return status;
}

static tcs_status list_models(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    tcsi_json_writer writer;
    (void)request;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_key(&writer, "models");
    tcsi_json_begin_array(&writer);
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = tcsi_models_list(api->store, list_one, &writer, err);
    pthread_mutex_unlock(&api->store_mutex);
    tcsi_json_end_array(&writer);
    tcsi_deep_report_write_challenger(api->deep, &writer);
    if (status == TCS_OK) status = write_canary(api, &writer, err);
    tcsi_json_end_object(&writer);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

static bool list_evidence(void *context, const tcsi_model_evidence *evidence)
{
    tcsi_models_evidence_write(evidence, context);
    return true;
}

/* The model that the path names; 404 in response where there is none, with E_INVALID. */
static tcs_status find_model(tcsi_api *api, const tcsi_request *request, tcsi_response *response, tcsi_model *ret_model, tcs_error *err)
{
    const char *name = tcsi_request_text(request, "hash");
    pthread_mutex_lock(&api->store_mutex);
    const tcs_status status = tcsi_models_find(api->store, name, request->arena, ret_model, err);
    pthread_mutex_unlock(&api->store_mutex);
    if (status == TCS_E_INVALID) tcsi_response_problem(response, request, 404, "model-unknown", "%s", err->text);
    return status;
}

static tcs_status get_model(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    tcsi_json_writer writer;
    tcsi_model model;
    tcs_status status = find_model(api, request, response, &model, err);
    if (status != TCS_OK) return status == TCS_E_INVALID ? TCS_OK : status;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    write_model(&model, &writer);
    tcsi_json_key(&writer, "evidence");
    tcsi_json_begin_array(&writer);
    pthread_mutex_lock(&api->store_mutex);
    status = tcsi_models_evidence_list(api->store, model.hash, list_evidence, &writer, err);
    pthread_mutex_unlock(&api->store_mutex);
    tcsi_json_end_array(&writer);
    tcsi_json_end_object(&writer);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

/* ---- who decides ---- */

static tcs_status read_body(const tcsi_request *request, const char *key, const char **ret_text, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    const tcs_status status = tcsi_json_parse(request->body, request->body_size, request->arena, &root, err);
    if (status != TCS_OK) return status == TCS_E_FORMAT ? tcsi_fail(err, TCS_E_INVALID, "the body is no JSON: %.300s", err->text) : status;
    const tcsi_json_value *value = tcsi_json_get(root, key);
    if (!value || value->type != TCSI_JSON_STRING || strlen(value->text) != value->text_size || value->text_size > 1000 || !*value->text)
        return tcsi_fail(err, TCS_E_INVALID, "expected \"%s\": a text of 1 to 1000 bytes", key);
    *ret_text = value->text;
    return TCS_OK;
}

/* By the journal, like everything that people decide; 202: durable, while the store fails. */
static tcs_status act(tcsi_api *api, const tcsi_request *request, tcsi_response *response, const char *alias, const char *to,
                      const char *reason, tcs_error *err)
{
    tcsi_buffer document;
    char id[TCSI_ACTION_ID_SIZE];
    bool is_kept = false;
    tcsi_buffer_init(&document, 1 << 16);
    tcs_status status = tcsi_models_document(alias, to, reason, &document, err);
    if (status == TCS_OK) status = tcsi_api_act(api, request, TCSI_ACTION_MODEL, to, document.data, id, &is_kept, err);
    tcsi_buffer_deinit(&document);
    if (status == TCS_OK) response->status = is_kept ? 204 : 202;
    return status;
}

static tcs_status promote_model(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const char *reason = "";
    char alias[TCSI_MODEL_ALIAS_SIZE];
    tcsi_model model;
    tcs_status status = read_body(request, "reason", &reason, err);
    if (status != TCS_OK) return status;
    status = find_model(api, request, response, &model, err);
    if (status != TCS_OK) return status == TCS_E_INVALID ? TCS_OK : status;
    tcsi_model_alias(model.name, tcsi_request_text(request, "role"), alias);
    return act(api, request, response, alias, model.hash, reason, err);
}

static tcs_status roll_back(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const char *reason = "";
    char alias[TCSI_MODEL_ALIAS_SIZE];
    const tcs_status status = read_body(request, "reason", &reason, err);
    if (status != TCS_OK) return status;
    tcsi_model_alias(tcsi_request_text(request, "name"), "champion", alias);
    return act(context, request, response, alias, "", reason, err);
}

/* ---- who answers for a share of the series ---- */

static tcs_status say_canary(tcsi_api *api, const tcsi_request *request, tcsi_response *response, const char *model, double share,
                             const char *reason, tcs_error *err)
{
    tcsi_buffer document;
    char id[TCSI_ACTION_ID_SIZE];
    bool is_kept = false;
    tcsi_buffer_init(&document, 1 << 16);
    tcs_status status = tcsi_canary_document(model, share, reason, &document, err);
    if (status == TCS_OK)
        status = tcsi_api_act(api, request, TCSI_ACTION_SETTING, TCSI_SETTING_CANARY, document.data, id, &is_kept, err);
    tcsi_buffer_deinit(&document);
    if (status == TCS_OK) response->status = is_kept ? 204 : 202;
    return status;
}

static tcs_status read_share(const tcsi_request *request, double *ret_share, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    const tcs_status status = tcsi_json_parse(request->body, request->body_size, request->arena, &root, err);
    if (status != TCS_OK) return status; /* whoever reads the reason has read it before */
    const tcsi_json_value *value = tcsi_json_get(root, "share");
    *ret_share = value && value->type == TCSI_JSON_NUMBER ? value->number : NAN;
    if (!(*ret_share > 0 && *ret_share <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "expected \"share\": how many of all series, more than 0 and at most 1");
    return TCS_OK;
}

static tcs_status start_canary(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const char *reason = "";
    double share;
    tcsi_model model;
    tcs_status status = read_body(request, "reason", &reason, err);
    if (status == TCS_OK) status = read_share(request, &share, err);
    if (status != TCS_OK) return status;
    status = find_model(api, request, response, &model, err);
    if (status != TCS_OK) return status == TCS_E_INVALID ? TCS_OK : status;
    if (strcmp(model.name, TCSI_MODEL_LIVE) != 0 || model.is_champion)
        return tcsi_fail(err, TCS_E_INVALID, "expected a model named '%s' that is not the champion; this one is '%s'%s", TCSI_MODEL_LIVE,
                         model.name, model.is_champion ? ", and decides already" : "");
    return say_canary(api, request, response, model.hash, share, reason, err);
}

static tcs_status stop_canary(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const char *reason = "";
    const tcs_status status = read_body(request, "reason", &reason, err);
    return status == TCS_OK ? say_canary(context, request, response, "", 0, reason, err) : status;
}

/* ---- the table ---- */

#define REASON                                                                                                     \
    "{\"type\":\"object\",\"required\":[\"reason\"],\"properties\":{\"reason\":{\"type\":\"string\",\"minLength\":1," \
    "\"maxLength\":1000}}}"

#define SHARE                                                                                                       \
    "{\"type\":\"object\",\"required\":[\"share\",\"reason\"],\"properties\":{\"share\":{\"type\":\"number\",\"exclusiveMinimum\":0," \
    "\"maximum\":1},\"reason\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":1000}}}"

static const char models_schema[] =
    "{\"type\":\"object\",\"required\":[\"models\",\"challenger\",\"canary\"],\"properties\":{\"models\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"object\"}},\"challenger\":{\"type\":\"object\"},\"canary\":{\"type\":\"object\",\"required\":[\"is_on\"]}}}";
static const char model_schema[] =
    "{\"type\":\"object\",\"required\":[\"hash\",\"name\",\"role\",\"card\",\"evidence\"],\"properties\":{\"hash\":{\"type\":\"string\"},"
    "\"role\":{\"enum\":[\"champion\",\"challenger\",\"\"]},\"evidence\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/models", .role = TCSI_ROLE_VIEWER, .handle = list_models, .id = "model_list",
      .group = TCSI_API_ASK,
      .summary = "Models, the oldest first; how the challenger does beside the champion, who waits for it, and who is on trial.",
      .answers = { { 200, "The models.", "application/json", models_schema } } },
    { .method = TCSI_GET, .path = "/api/v1/models/{hash}", .role = TCSI_ROLE_VIEWER, .handle = get_model, .id = "model_get",
      .group = TCSI_API_ASK, .summary = "One model: its card, and what it was measured to do.",
      .parameters = { { .name = "hash", .type = TCSI_ARGUMENT_TEXT, .help = "its hash, the beginning of it, or an alias" } },
      .answers = { { 200, "The model.", "application/json", model_schema }, { 404, "There is none.", NULL, NULL } } },
    { .method = TCSI_POST, .path = "/api/v1/models/{hash}/promotion", .role = TCSI_ROLE_ADMIN, .handle = promote_model,
      .id = "model_promote", .group = TCSI_API_ACT, .summary = "Has a model decide from now on, by a person's word.", .body_max = 1 << 14,
      .body_required = true, .request_type = "application/json", .request_schema = REASON,
      .parameters = { { .name = "hash", .type = TCSI_ARGUMENT_TEXT, .help = "its hash, or the beginning of it" },
                      { .name = "role", .type = TCSI_ARGUMENT_CHOICE, .help = "what it becomes", .choices = "champion|challenger",
                        .fallback = "champion" } },
      .answers = { { 204, "It is.", NULL, NULL }, { 202, "It will be as soon as the store works again.", NULL, NULL },
                   { 404, "There is no such model.", NULL, NULL } } },
    { .method = TCSI_POST, .path = "/api/v1/models/{hash}/canary", .role = TCSI_ROLE_ADMIN, .handle = start_canary,
      .id = "model_canary", .group = TCSI_API_ACT, .summary = "Has a live network answer for a share of the series, until that is stopped.",
      .body_max = 1 << 14, .body_required = true, .request_type = "application/json", .request_schema = SHARE,
      .parameters = { { .name = "hash", .type = TCSI_ARGUMENT_TEXT, .help = "its hash, the beginning of it, or an alias" } },
      .answers = { { 204, "It does.", NULL, NULL }, { 202, "It will as soon as the store works again.", NULL, NULL },
                   { 404, "There is no such model.", NULL, NULL } } },
    { .method = TCSI_POST, .path = "/api/v1/models/canary/stop", .role = TCSI_ROLE_ADMIN, .handle = stop_canary,
      .id = "model_canary_stop", .group = TCSI_API_ACT, .summary = "The champion answers for all series again.", .body_max = 1 << 14,
      .body_required = true, .request_type = "application/json", .request_schema = REASON,
      .answers = { { 204, "It does.", NULL, NULL }, { 202, "It will as soon as the store works again.", NULL, NULL } } },
    { .method = TCSI_POST, .path = "/api/v1/models/rollback", .role = TCSI_ROLE_ADMIN, .handle = roll_back, .id = "model_rollback",
      .group = TCSI_API_ACT, .summary = "Back to the champion before; without one before, nothing changes.", .body_max = 1 << 14,
      .body_required = true, .request_type = "application/json", .request_schema = REASON,
      .parameters = { { .name = "name", .type = TCSI_ARGUMENT_TEXT, .help = "of the models", .fallback = TCSI_MODEL_LIVE } },
      .answers = { { 204, "It is.", NULL, NULL }, { 202, "It will be as soon as the store works again.", NULL, NULL } } },
};

tcs_status tcsi_api_mount_models(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
