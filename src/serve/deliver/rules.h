/* serve/deliver/rules.h -- from settings to rules: what decides is checked here and written as the JSON that the journal has
 * (shard/policy.h).  Threads: reentrant. */
#ifndef TCS_SERVE_DELIVER_RULES_H
#define TCS_SERVE_DELIVER_RULES_H

#include "base/arena.h"
#include "base/buffer.h"
#include "knowledge/yaml.h"

typedef struct tcsi_deliver_rules {
    int64_t within_ns;          /* group_within; -1: it is not set; 0: nothing is one incident */
    const tcsi_yaml *places;    /* group_by; NULL: likewise */
    const tcsi_yaml *policies;  /* NULL: there are none */
} tcsi_deliver_rules;

/* What is wrong goes to problems.  *ret_text: in arena; NULL: nothing is set.  E_MEMORY. */
tcs_status tcsi_deliver_rules_write(const tcsi_deliver_rules *rules, tcsi_problems *problems, tcsi_arena *arena, const char **ret_text,
                                    tcs_error *err) TCS_WARN_UNUSED;

/* The reference of a policy's keys, in Markdown. */
tcs_status tcsi_deliver_rules_describe(tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
