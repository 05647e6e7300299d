/* serve/web/web.h -- the dashboard: its files are part of the library, so that a browser needs nothing but this service.
 *
 *     GET /               the page; asked anew each time, answered 304 while it is the same
 *     GET /assets/NAME    script, style and pictures; a name has the hash of what it names, so that browsers keep it for good
 *
 * Every file is carried plain and as gzip; the second goes to whoever takes it.  The page is public, what it shows is not: it asks the
 * routes of the API like any other client, with the token that it is given.
 * A strict content security policy goes with it: scripts, styles and data from this service alone, none of them inline.
 * Threads: nothing here changes. */
#ifndef TCS_SERVE_WEB_WEB_H
#define TCS_SERVE_WEB_WEB_H

#include "serve/http/route.h"

typedef struct tcsi_web_file {
    const char *name;            /* below /assets/; "": the page itself */
    const char *content_type;
    const char *hash;            /* of its bytes, hexadecimal */
    const unsigned char *plain, *packed; /* packed: gzip */
    size_t plain_size, packed_size;
} tcsi_web_file;

/* Made by tools/embed_web.py at build time; the page comes first. */
extern const tcsi_web_file tcsi_web_files[];
extern const size_t tcsi_web_file_count;

tcs_status tcsi_web_mount(tcsi_router *router, tcs_error *err) TCS_WARN_UNUSED;

#endif
