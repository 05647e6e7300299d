/* apps/together.h -- `--fdr`: episodes of all inputs judged together, as words and as JSON. */
#ifndef TOCSIN_APPS_TOGETHER_H
#define TOCSIN_APPS_TOGETHER_H

#include "cli.h"

#include "base/json.h"
#include "base/status.h"

typedef struct cli_together {
    const char *level, *method; /* as given; level NULL: not asked for */
} cli_together;

/* Rows of a command's option table; base is the offset of its cli_together. */
#define CLI_TOGETHER_OPTIONS(base) \
    { "--fdr", "X", CLI_TEXT, (base) + offsetof(cli_together, level), \
      "judge the episodes of all inputs together: of those that stay, at most this share is chance on average, 0.1 say" }, \
    { "--fdr-method", "bh|by|e-bh|lord|saffron|addis|e-lond", CLI_TEXT, (base) + offsetof(cli_together, method), \
      "bh (default) for series that are independent or move together, by and e-bh for any; the others judge day by day" }

/* *ret_joint NULL: not asked for.  E_INVALID. */
tcs_status cli_together_begin(const cli_together *asked, tcs_joint **ret_joint, tcs_error *err) TCS_WARN_UNUSED;
/* Judges and tells: words unless there is a writer, then the value of a key.  top 0: ten episodes. */
tcs_status cli_together_tell(tcs_joint *joint, const char *const *inputs, size_t top, tcsi_json_writer *json, bool *ret_any,
                             tcs_error *err) TCS_WARN_UNUSED;

#endif
