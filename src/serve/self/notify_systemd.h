/* serve/self/notify_systemd.h -- tells the service manager how it goes: READY=1, STOPPING=1, WATCHDOG=1, STATUS=...
 * The protocol (sd_notify(3)) is one datagram to the socket that NOTIFY_SOCKET names, so that no library is needed for it.
 * Under no manager, or one that does not listen, nothing happens.  Threads: reentrant. */
#ifndef TCS_SERVE_SELF_NOTIFY_SYSTEMD_H
#define TCS_SERVE_SELF_NOTIFY_SYSTEMD_H

#include <stdbool.h>

/* Lines NAME=VALUE.  Whether it was handed over. */
bool tcsi_systemd_notify(const char *lines);

#endif
