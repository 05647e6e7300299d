/* io/url.c -- a scheme decides; everything else is a path.  A file that is called like a URL is reached as ./sqlite:x.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/url.h"

#include "base/text.h"
#include "base/url.h"
#include "io/answer.h"

#include <string.h>

tcsi_url_kind tcsi_url_kind_of(const char *input)
{
    static const struct { const char *scheme; tcsi_url_kind kind; } kinds[] = {
        { "sqlite", TCSI_URL_SQLITE }, { "sqlite3", TCSI_URL_SQLITE }, { "postgresql", TCSI_URL_POSTGRESQL },
        { "postgres", TCSI_URL_POSTGRESQL }, { "http", TCSI_URL_HTTP }, { "https", TCSI_URL_HTTP },
    };
    char scheme[16];
    size_t length = tcsi_url_scheme_length(input);
    if (length == 0) return TCSI_URL_NONE;
    tcsi_url_kind otherwise = strncmp(input + length, "://", 3) == 0 ? TCSI_URL_OTHER : TCSI_URL_NONE;
    if (length >= sizeof scheme) return otherwise;
    memcpy(scheme, input, length);
    scheme[length] = 0;
    for (size_t i = 0; i < TCS_COUNT(kinds); i++)
        if (tcsi_text_equal_nocase(scheme, kinds[i].scheme)) return kinds[i].kind;
    return otherwise;
}

static tcs_status open_answer(const char *url, tcsi_url_kind kind, const tcsi_read_options *options, tcsi_answer **ret_answer,
                              tcs_error *err)
{
    char shown[256];
    bool has_query = options->query && options->query[strspn(options->query, " \t\r\n;")];
    if (kind == TCSI_URL_HTTP) return tcsi_prometheus_open(url, options, ret_answer, err);
    if (options->start || options->end || options->step)
        return tcsi_fail(err, TCS_E_INVALID, "%s: start, end and step are for Prometheus; write the range into the SQL query",
                         tcsi_url_redact(url, shown, sizeof shown));
    if (!has_query)
        return tcsi_fail(err, TCS_E_INVALID, "%s: needs a query, for example --query 'select time, flow from readings order by time'",
                         tcsi_url_redact(url, shown, sizeof shown));
    return kind == TCSI_URL_SQLITE ? tcsi_sqlite_open(url, options->query, ret_answer, err)
                                   : tcsi_postgresql_open(url, options->query, ret_answer, err);
}

tcs_status tcsi_input_open(const char *input, const tcsi_table_open_options *options, tcsi_table **ret_table, tcs_error *err)
{
    tcsi_url_kind kind = tcsi_url_kind_of(input);
    char shown[256];
    if (kind == TCSI_URL_OTHER)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: cannot be read; expected a path, -, or a sqlite:, postgresql: or http: URL",
                         tcsi_url_redact(input, shown, sizeof shown));
    if (kind != TCSI_URL_NONE) {
        tcsi_answer *answer = NULL;
        tcs_status status = open_answer(input, kind, options->read, &answer, err);
        return status == TCS_OK ? tcsi_answer_table(answer, options, ret_table, err) : status;
    }
    if (options->read->query || options->read->start || options->read->end || options->read->step)
        return tcsi_fail(err, TCS_E_INVALID, "%s: is a file; a query and a range are for sqlite:, postgresql: and http: inputs", input);
    tcsi_stream *stream = NULL;
    tcs_status status = tcsi_stream_open(input, &stream, err);
    return status == TCS_OK ? tcsi_table_open(stream, options, ret_table, err) : status;
}
