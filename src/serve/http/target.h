/* serve/http/target.h -- what a request asks for: bytes of the request line -> segments of a path, and parameters.
 *
 * Input is hostile, and what is refused here cannot be misread further in: one decoder, once, before anything is compared.
 *   - "/a/b?x=1", "http://host/a/b?x=1" and "*" are accepted; a fragment, a byte below 0x21, 0x7f and bytes above it (they must be
 *     percent codes) are not.
 *   - Percent codes are decoded segment by segment, after splitting: %2F is a slash inside a segment and never a separator.  %00,
 *     control codes, and what does not decode to UTF-8 are refused.
 *   - "." and ".." are resolved, also when they were written as %2e; ".." above the root is refused.  Empty segments ("//", a slash at
 *     the end) count as none.
 *   - In the query "+" is a blank.  A parameter without "=" has the value "".
 * Pure: the same bytes give the same target; nothing is allocated, texts point into the storage of the struct (8 KiB and a 0).
 * Threads: reentrant. */
#ifndef TCS_SERVE_HTTP_TARGET_H
#define TCS_SERVE_HTTP_TARGET_H

#include "serve/http/message.h"

enum { TCSI_TARGET_SIZE_MAX = 8192, TCSI_TARGET_SEGMENTS_MAX = 32, TCSI_TARGET_QUERY_MAX = 64 };

typedef struct tcsi_target {
    const char *segments[TCSI_TARGET_SEGMENTS_MAX]; /* decoded, normalized */
    size_t segment_count;                           /* 0: the root */
    tcsi_pair query[TCSI_TARGET_QUERY_MAX];         /* decoded */
    size_t query_count;
    bool is_asterisk;                               /* "*": the server itself, with OPTIONS */
    char storage[TCSI_TARGET_SIZE_MAX + 1];
} tcsi_target;

/* E_INVALID, E_LIMIT: err says what is wrong with it, and where. */
tcs_status tcsi_target_parse(const char *text, size_t size, tcsi_target *ret_target, tcs_error *err) TCS_WARN_UNUSED;

/* "/a/b": segments joined, cut to size - 1 bytes; for messages. */
void tcsi_target_path(const tcsi_target *target, char *ret_text, size_t size);

/* Well-formed UTF-8 without NUL and control codes (below 0x20, 0x7f). */
bool tcsi_text_is_printable(const char *text, size_t size);

#endif
