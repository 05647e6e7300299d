/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log, and whether it holds.  The whole chain is followed with each request, on the store's own bytes: 0.3 s for 100,000 entries,
 * which is why a caller may ask only now and then. */
#include "serve/api/api.h"

#include "serve/audit_entry.h"

typedef struct listing {
    tcsi_json_writer writer;
    tcsi_audit_chain chain;
    int64_t after;
    size_t left;        /* that may be listed yet */
    bool is_broken;
    tcs_error broken;
} listing;

static bool list_entry(void *context, const tcsi_store_audit_entry *entry)
{
    listing *l = context;
    if (!l->is_broken) l->is_broken = tcsi_audit_chain_follow(&l->chain, entry, &l->broken) != TCS_OK;
    if (entry->sequence <= l->after || l->left == 0) return true;
    l->left--;
    tcsi_audit_entry_write(entry, &l->writer);
    return true;
}

static tcs_status list_audit(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    char head[TCSI_HASH_TEXT_SIZE];
    listing l = { .after = tcsi_request_integer(request, "after", 0),
                  .left = (size_t)tcsi_request_integer(request, "limit", TCSI_API_PAGE) };
    tcsi_json_writer_init(&l.writer, &response->body, false);
    tcsi_json_begin_object(&l.writer);
    tcsi_json_key(&l.writer, "entries");
    tcsi_json_begin_array(&l.writer);
    pthread_mutex_lock(&api->store_mutex);
    const tcs_status status = tcsi_store_audit_list(api->store, INT64_MIN, 0, list_entry, &l, err);
    pthread_mutex_unlock(&api->store_mutex);
    tcsi_json_end_array(&l.writer);
    tcsi_hash_text(l.chain.head, head);
    tcsi_json_put_integer(&l.writer, "verified", l.chain.count);
    tcsi_json_put_string(&l.writer, "head", head);
    if (l.is_broken) tcsi_json_put_string(&l.writer, "problem", l.broken.text);
    tcsi_json_end_object(&l.writer);
    return status == TCS_OK ? tcsi_json_finish(&l.writer, err) : status;
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
