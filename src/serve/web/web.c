/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/web/web.h"

#include <stdio.h>
#include <string.h>

/* uPlot and the page set styles through the object model, which style-src does not concern. */
static const char POLICY[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                             "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* Whether what follows a coding's name, up to the comma, gives it the weight 0. */
static bool is_refused(const char *parameters, size_t size)
{
    const char *weight = size ? memchr(parameters, '=', size) : NULL;
    return weight && strspn(weight + 1, "0. \t") >= size - (size_t)(weight + 1 - parameters);
}

/* Whether a list of codings has gzip, or everything, in it (RFC 9110, 12.5.3). */
static bool takes_gzip(const char *list)
{
    while (list && *list) {
        list += strspn(list, " \t,");
        const size_t name = strcspn(list, " \t,;"), all = strcspn(list, ",");
        if ((name == 4 && strncmp(list, "gzip", 4) == 0) || (name == 1 && *list == '*')) return !is_refused(list + name, all - name);
        list += all;
    }
    return false;
}

static tcs_status send_file(const tcsi_web_file *file, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const bool is_page = !*file->name, is_packed = takes_gzip(tcsi_request_header(request, "Accept-Encoding"));
    const char *known = tcsi_request_header(request, "If-None-Match");
    char tag[128];
    /* The two codings of a file are two things to a cache, and must not share a tag. */
    snprintf(tag, sizeof tag, "\"%s%s\"", file->hash, is_packed ? "-gzip" : "");
    const char *kept = tcsi_arena_strndup(request->arena, tag, strlen(tag));
    if (!kept) return tcsi_fail_memory(err, "a tag");
    tcsi_response_header(response, "ETag", kept);
    tcsi_response_header(response, "Vary", "Accept-Encoding");
    tcsi_response_header(response, "Cache-Control", is_page ? "no-cache" : "public, max-age=31536000, immutable");
    if (known && (strstr(known, kept) || strcmp(known, "*") == 0)) {
        response->status = 304;
        return TCS_OK;
    }
    response->content_type = file->content_type;
    if (is_page) tcsi_response_header(response, "Content-Security-Policy", POLICY);
    if (is_page) tcsi_response_header(response, "Referrer-Policy", "no-referrer");
    if (is_page) tcsi_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
    if (is_packed) tcsi_response_header(response, "Content-Encoding", "gzip");
    return tcsi_buffer_append(&response->body, (const char *)(is_packed ? file->packed : file->plain),
                              is_packed ? file->packed_size : file->plain_size, err);
}

static tcs_status get_page(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)context;
    return send_file(&tcsi_web_files[0], request, response, err);
}

static tcs_status get_asset(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const char *name = tcsi_request_text(request, "name");
    (void)context;
    for (size_t i = 1; i < tcsi_web_file_count; i++)
        if (strcmp(name, tcsi_web_files[i].name) == 0) return send_file(&tcsi_web_files[i], request, response, err);
    tcsi_response_problem(response, request, 404, "asset-unknown", "the dashboard has no file '%s'", name);
    return TCS_OK;
}

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/", .role = TCSI_ROLE_NONE, .handle = get_page, .id = "dashboard", .group = "Dashboard",
      .summary = "The dashboard's page. What it shows it asks by the routes below, with the token that it is given.",
      .answers = { { 200, "The page.", "text/html", NULL }, { 304, "As the one with that ETag.", NULL, NULL } } },
    { .method = TCSI_GET, .path = "/assets/{name}", .role = TCSI_ROLE_NONE, .handle = get_asset, .id = "dashboard_asset",
      .group = "Dashboard", .summary = "A file of the dashboard; its name has its hash, so that it may be kept for good.",
      .parameters = { { .name = "name", .help = "as the page has it" } },
      .answers = { { 200, "The file.", "text/javascript|text/css|image/svg+xml|application/manifest+json", NULL },
                   { 304, "As the one with that ETag.", NULL, NULL }, { 404, "There is none.", NULL, NULL } } },
};

tcs_status tcsi_web_mount(tcsi_router *router, tcs_error *err) { return tcsi_router_mount(router, table, TCS_COUNT(table), NULL, err); }
