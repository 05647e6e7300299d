/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log, and whether it holds.  What was followed is remembered, so that a request follows only what is new; after ten minutes the
 * chain is followed from its beginning again, which takes 0.4 s of a processor for 100,000 entries, while other requests for what the store
 * has wait. */
#include "serve/api/api.h"

#include "base/clock.h"
#include "serve/audit_entry.h"

static const int64_t FORGET_NS = INT64_C(600000000000);

typedef struct following {
    tcsi_audit_chain *chain;
    tcs_status status;
    tcs_error broken;
} following;

static bool follow(void *context, const tcsi_store_audit_entry *entry)
{
    following *f = context;
    f->status = tcsi_audit_chain_follow(f->chain, entry, &f->broken);
    return f->status == TCS_OK;
}

/* With the store's mutex. */
static tcs_status verify(tcsi_api *api, following *f, tcs_error *err)
{
    const int64_t now_ns = tcsi_clock_monotonic_ns();
    if (now_ns - api->audit_verified_ns > FORGET_NS) {
        api->audit_chain = (tcsi_audit_chain){ 0 };
        api->audit_verified_ns = now_ns;
    }
    *f = (following){ .chain = &api->audit_chain };
    return tcsi_store_audit_list(api->store, api->audit_chain.count, 0, follow, f, err);
}

static bool list_entry(void *context, const tcsi_store_audit_entry *entry)
{
    tcsi_audit_entry_write(entry, context);
    return true;
}

static tcs_status list_audit(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    char head[TCSI_HASH_TEXT_SIZE];
    tcsi_json_writer writer;
    following f;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_key(&writer, "entries");
    tcsi_json_begin_array(&writer);
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = verify(api, &f, err);
    const tcsi_audit_chain chain = api->audit_chain;
    if (status == TCS_OK)
        status = tcsi_store_audit_list(api->store, tcsi_request_integer(request, "after", 0),
                                       (size_t)tcsi_request_integer(request, "limit", TCSI_API_PAGE), list_entry, &writer, err);
    pthread_mutex_unlock(&api->store_mutex);
    tcsi_json_end_array(&writer);
    tcsi_hash_text(chain.head, head);
    tcsi_json_put_integer(&writer, "verified", chain.count);
    tcsi_json_put_string(&writer, "head", head);
    if (status == TCS_OK && f.status != TCS_OK) tcsi_json_put_string(&writer, "problem", f.broken.text);
    tcsi_json_end_object(&writer);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

static const char audit_schema[] =
    "{\"type\":\"object\",\"required\":[\"entries\",\"verified\",\"head\"],\"properties\":{\"entries\":{\"type\":\"array\",\"items\":"
    "{\"type\":\"object\",\"required\":[\"sequence\",\"time\",\"actor\",\"action\",\"object\",\"detail\",\"hash\"]}},"
    "\"verified\":{\"type\":\"integer\"},\"head\":{\"type\":\"string\"},\"problem\":{\"type\":\"string\"}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/audit", .role = TCSI_ROLE_ADMIN, .handle = list_audit, .id = "audit_list",
      .group = TCSI_API_ASK, .summary = "Who did what, oldest first, and how many entries from the first on are as they were written.",
      .rate = 1, .burst = 20,
      .parameters = { { .name = "after", .type = TCSI_ARGUMENT_INTEGER, .help = "the number of the last entry of the page before",
                        .fallback = "0", .low = 0, .high = 1e15 },
                      { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many", .fallback = "100", .low = 1,
                        .high = TCSI_API_PAGE_MAX } },
      .answers = { { 200, "The entries; `problem` names the first one that was changed, removed or put in.", "application/json",
                     audit_schema } } },
};

tcs_status tcsi_api_mount_audit(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
