/* serve/deliver/message.h -- what is said to each kind of receiver: pure functions from an alert and the receiver's settings to bytes.
 *
 *   alertmanager  JSON array of one postableAlert, API v2.  Identity stands in labels only, and is the same from onset to end
 *   webhook       CloudEvents 1.0.2, structured JSON; id is made of series, onset and state, so that a repetition shows
 *   grafana       an annotation; `tocsin:EPISODE` among its tags finds it again
 *   mail          RFC 5322 plain text; nothing of an alert can become a header line of its own
 *
 * Texts of alerts come from whoever sends rows: everything here treats them as hostile.  Threads: reentrant. */
#ifndef TCS_SERVE_DELIVER_MESSAGE_H
#define TCS_SERVE_DELIVER_MESSAGE_H

#include "serve/deliver/receiver.h"

tcs_status tcsi_message_alertmanager(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out,
                                     tcs_error *err) TCS_WARN_UNUSED;

tcs_status tcsi_message_webhook(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* The signature of a webhook's body: HMAC-SHA-256 under the secret over "SECONDS.BODY", as "v1=" and hexadecimal. */
enum { TCSI_SIGNATURE_SIZE = 3 + 2 * TCSI_HASH_SIZE + 1 };
tcs_status tcsi_message_sign(const char *secret, size_t secret_size, int64_t seconds, const char *body, size_t body_size,
                             char ret_signature[TCSI_SIGNATURE_SIZE], tcs_error *err) TCS_WARN_UNUSED;
/* What a receiver written in C does: the signature is right, and its time no more than tolerance_s from now_s. */
bool tcsi_message_verify(const char *secret, size_t secret_size, const char *timestamp, const char *signature, const char *body,
                         size_t body_size, int64_t now_s, int64_t tolerance_s);

tcs_status tcsi_message_grafana(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

tcs_status tcsi_message_mail(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

/* "Expected 1 to 3, was 17." or "" where it is not known: shared by all. */
tcs_status tcsi_message_band(const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
