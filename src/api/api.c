/* SPDX-License-Identifier: Apache-2.0 */
#include "tocsin/tocsin.h"

#include "base/log.h"
#include "tocsin_config.h"

const char *tcs_version(void)
{
    return TCSI_VERSION;
}

const char *tcs_status_name(tcs_status status)
{
    return tcsi_status_name(status);
}

static struct { tcs_log_hook hook; void *context; } outer_log;

static void forward_log(void *context, tcsi_log_level level, const char *id, const char *text)
{
    (void)context;
    outer_log.hook(outer_log.context, (int)level, id, text);
}

void tcs_log_set(tcs_log_hook hook, void *context, int level_max)
{
    outer_log.hook = hook;
    outer_log.context = context;
    tcsi_log_set(hook ? forward_log : NULL, NULL, (tcsi_log_level)level_max);
}
