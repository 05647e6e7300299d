/* serve/deliver/settings.h -- receivers, silences and maintenance windows from a YAML file; and what some series may raise.
 *
 *     receivers:
 *       - name: ops
 *         kind: alertmanager
 *         url: http://127.0.0.1:9093
 *         match: ['team="db"', 'env!="test"']
 *     silences:
 *       - match: ['host="db1"']
 *         from: 2026-12-01T22:00:00Z
 *         until: 2026-12-02T06:00:00Z
 *         comment: new disks
 *     escalate_after: 15min
 *     group_by: [host, instance]
 *     tell: incidents
 *     policies:
 *       - match: ['job="batch"']
 *         absence: 25h
 *         cadence: off
 *     programs: [/usr/local/bin/restart-pump]
 *
 * One table says each key's kind of receiver, type, range and help: parsing and docs/reference/receivers.md are made from it.
 * Everything that is wrong is told at once, each with its line.  Secrets are named by the file they stand in, never written here; a
 * password in an address is refused.  Threads: plain data after loading. */
#ifndef TCS_SERVE_DELIVER_SETTINGS_H
#define TCS_SERVE_DELIVER_SETTINGS_H

#include "base/fingerprint.h"
#include "serve/deliver/receiver.h"

enum { TCSI_SILENCE_COUNT_MAX = 256 };

typedef struct tcsi_deliver_settings {
    tcsi_receiver receivers[TCSI_RECEIVER_COUNT_MAX];
    size_t receiver_count;
    tcsi_silence *silences;        /* (silence_count) */
    size_t silence_count;
    int64_t escalate_after_ns;     /* 0: nobody is told again */
    bool tells_episodes;           /* each, and not each incident */
    const char *rules;             /* group_within, group_by and policies: what decides, as JSON (shard/policy.h) */
    tcsi_fingerprint fingerprint;  /* of the file */
    tcsi_arena arena;              /* of all texts */
} tcsi_deliver_settings;

/* file: for messages.  E_FORMAT tells the first problem and how many more there are; E_UNSUPPORTED in builds without libyaml. */
tcs_status tcsi_deliver_settings_parse(const char *text, size_t size, const char *file, tcsi_deliver_settings **ret_settings,
                                       tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_deliver_settings_load(const char *path, tcsi_deliver_settings **ret_settings, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_deliver_settings_destroy(tcsi_deliver_settings *settings); /* accepts NULL */

/* The reference of all keys, in Markdown. */
tcs_status tcsi_deliver_settings_describe(tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
