/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* initgroups */
#include "serve/self/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

bool tcsi_privileges_are_all(void)
{
    return geteuid() == 0;
}

static tcs_status fail_system(const char *user, tcs_error *err)
{
    return tcsi_fail(err, TCS_E_IO, "becoming user '%s': %s", user, strerror(errno));
}

/* A folder that is there already is left to whoever made it: its owner may be wanted as it is. */
static tcs_status make_folder(const char *folder, const struct passwd *account, tcs_error *err)
{
    if (mkdir(folder, 0750) != 0) return errno == EEXIST ? TCS_OK : tcsi_fail(err, TCS_E_IO, "%s: %s", folder, strerror(errno));
    if (chown(folder, account->pw_uid, account->pw_gid) != 0) return tcsi_fail(err, TCS_E_IO, "%s: %s", folder, strerror(errno));
    return TCS_OK;
}

tcs_status tcsi_privileges_drop(const char *user, const char *folder, tcs_error *err)
{
    errno = 0;
    const struct passwd *account = getpwnam(user);
    if (!account) return errno ? fail_system(user, err) : tcsi_fail(err, TCS_E_INVALID, "there is no user '%s'", user);
    if (account->pw_uid == geteuid()) return TCS_OK;
    const uid_t uid = account->pw_uid;
    const gid_t gid = account->pw_gid;
    tcs_status status = tcsi_privileges_are_all() ? make_folder(folder, account, err) : TCS_OK;
    if (status != TCS_OK) return status;
    if (initgroups(user, gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0) return fail_system(user, err); /* in this order */
    if (setuid(0) == 0 || getuid() != uid || geteuid() != uid || getegid() != gid)
        return tcsi_fail(err, TCS_E_IO, "becoming user '%s': the rights of root are still there", user);
    return TCS_OK;
}

void tcsi_privileges_harden(bool has_secrets)
{
    const struct rlimit none = { 0, 0 };
    (void)umask(027);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!has_secrets) return;
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* which a program that catches dumps heeds, where the limit is not asked */
}
