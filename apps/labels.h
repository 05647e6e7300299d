/* apps/labels.h -- `--labels FILE`: what people called some rows, so that later episodes that are like them are told so.
 * One a line: FROM,TO,LABEL with the first and the last time, or row counted from 0; the label is the rest of the line, in quotes or not.
 * A first line that is none of that is a header. */
#ifndef TOCSIN_APPS_LABELS_H
#define TOCSIN_APPS_LABELS_H

#include "cli.h"

#include "base/status.h"

#define CLI_LABELS_OPTION(offset) \
    { "--labels", "FILE", CLI_TEXT, (offset), \
      "what people called some rows, a line FROM,TO,LABEL each (first and last time or row): told where a later episode is like them" }

/* path NULL: nothing.  E_FORMAT says which line. */
tcs_status cli_labels_apply(const char *path, tcs_result *result, tcs_error *err) TCS_WARN_UNUSED;

#endif
