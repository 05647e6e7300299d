/* serve/self/privileges.h -- what a service gives up before it listens.
 * Threads: before there are any others. */
#ifndef TCS_SERVE_SELF_PRIVILEGES_H
#define TCS_SERVE_SELF_PRIVILEGES_H

#include "base/status.h"

/* Becomes that user, for good, with the groups that he is in; folder, if there is none yet, is made for him.  "root" as root: stays.
 * E_INVALID: there is no such user; E_IO: the system refuses, as it does to anybody but root. */
tcs_status tcsi_privileges_drop(const char *user, const char *folder, tcs_error *err) TCS_WARN_UNUSED;
bool tcsi_privileges_are_all(void); /* is this root? */

/* Files that it makes are nobody else's (umask 027); programs that it starts gain no rights (no_new_privs); with has_secrets its memory is
 * not written to disk when it dies, nor read by others of the same user. */
void tcsi_privileges_harden(bool has_secrets);

#endif
