/* serve/deliver/receiver.h -- who is told of alerts, how, and which ones: one struct of settings for every kind of receiver.
 * Read from a YAML file by settings.h.  Threads: plain data, read by many. */
#ifndef TCS_SERVE_DELIVER_RECEIVER_H
#define TCS_SERVE_DELIVER_RECEIVER_H

#include "serve/alert.h"
#include "serve/deliver/match.h"

typedef enum tcsi_receiver_kind {
    TCSI_RECEIVER_ALERTMANAGER, /* message_alertmanager.c */
    TCSI_RECEIVER_WEBHOOK,      /* message_webhook.c */
    TCSI_RECEIVER_GRAFANA,      /* message_grafana.c */
    TCSI_RECEIVER_MAIL,         /* message_mail.c */
    TCSI_RECEIVER_COMMAND,      /* command.c */
    TCSI_RECEIVER_KIND_COUNT
} tcsi_receiver_kind;

extern const char *const tcsi_receiver_kind_names[TCSI_RECEIVER_KIND_COUNT]; /* "alertmanager" */

enum { TCSI_RECEIVER_COUNT_MAX = 64, TCSI_RECEIVER_LIST_MAX = 32, TCSI_RECEIVER_NAME_SIZE_MAX = 64 };

typedef struct tcsi_receiver {
    const char *name;                                  /* unique; of the outbox and of metrics */
    tcsi_receiver_kind kind;

    /* which alerts */
    bool suspected;                                    /* those too that are not confirmed yet */
    bool only_escalated;                               /* only what nobody acknowledged in time */
    double severity_min;                               /* 0: all */
    tcsi_matcher match[TCSI_MATCHER_COUNT_MAX];        /* all must hold */
    size_t match_count;

    /* how */
    const char *url;                                   /* address of the server; of Alertmanager and Grafana without /api/... */
    const char *secret_file;                           /* key of the signature (webhook), bearer token (Grafana, Alertmanager), password */
    int64_t timeout_ns;                                /* of one attempt */
    int64_t retry_ns_max;                              /* longest pause between two attempts */
    int64_t resend_ns;                                 /* Alertmanager: an open alert is told again after so long */
    tcsi_alert_tag labels[TCSI_RECEIVER_LIST_MAX];     /* Alertmanager: added to every alert */
    size_t label_count;
    const char *source;                                /* webhook: of the events, "/tocsin" */
    const char *dashboard;                             /* Grafana: UID; NULL: every dashboard */
    int64_t panel;                                     /* Grafana: 0: every panel */
    const char *from;                                  /* mail */
    const char *to[TCSI_RECEIVER_LIST_MAX];
    size_t to_count;
    const char *user;                                  /* mail: NULL: no login */
    bool plain;                                        /* mail: without TLS; allowed for servers on this machine only */
    const char *program[TCSI_RECEIVER_LIST_MAX];       /* command: absolute path and arguments */
    size_t program_count;
    bool is_live;                                      /* command: really runs; otherwise it says only what it would run */
    uint32_t runs_per_hour;                            /* command: at most */
} tcsi_receiver;

/* Is the alert one that this receiver wants to hear of?  What is over it wants to hear when it may have heard of it before. */
bool tcsi_receiver_wants(const tcsi_receiver *receiver, const tcsi_alert *alert, bool is_escalated);

/* Does it know an alert by what was last said, so that a newer message makes an older one needless?  (Alertmanager, Grafana.) */
static inline bool tcsi_receiver_keeps_state(const tcsi_receiver *receiver)
{
    return receiver->kind == TCSI_RECEIVER_ALERTMANAGER || receiver->kind == TCSI_RECEIVER_GRAFANA;
}

#endif
