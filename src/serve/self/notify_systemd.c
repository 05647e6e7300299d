/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/self/notify_systemd.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool tcsi_systemd_notify(const char *lines)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const size_t length = path ? strlen(path) : 0;
    if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return false;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0; /* a name that is no file */
    const int file = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (file < 0) return false;
    (void)fcntl(file, F_SETFD, FD_CLOEXEC);
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    const size_t wanted = strlen(lines);
    /* Never waited for: a manager that does not read must not stop the one who tells. */
    const ssize_t sent = sendto(file, lines, wanted, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    close(file);
    return sent == (ssize_t)wanted;
}
