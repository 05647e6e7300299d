/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/self/health.h"

static void add(tcsi_health *health, const char *name, tcsi_health_check check, void *context, bool is_spare)
{
    TCS_ASSERT(health->check_count < TCSI_HEALTH_CHECKS_MAX);
    health->checks[health->check_count].name = name;
    health->checks[health->check_count].check = check;
    health->checks[health->check_count].is_spare = is_spare;
    health->checks[health->check_count++].context = context;
}

void tcsi_health_add(tcsi_health *health, const char *name, tcsi_health_check check, void *context)
{
    add(health, name, check, context, false);
}

void tcsi_health_add_spare(tcsi_health *health, const char *name, tcsi_health_check check, void *context)
{
    add(health, name, check, context, true);
}

bool tcsi_health_run(const tcsi_health *health, tcsi_json_writer *writer)
{
    bool ready = true, degraded = false;
    tcsi_json_begin_object(writer);
    tcsi_json_key(writer, "checks");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < health->check_count; i++) {
        char reason[TCSI_HEALTH_REASON_SIZE] = "";
        bool ok = health->checks[i].check(health->checks[i].context, reason);
        tcsi_json_begin_object(writer);
        tcsi_json_put_string(writer, "name", health->checks[i].name);
        tcsi_json_put_bool(writer, "ok", ok);
        if (!ok) tcsi_json_put_string(writer, "reason", reason);
        tcsi_json_end_object(writer);
        ready = ready && (ok || health->checks[i].is_spare);
        degraded = degraded || !ok;
    }
    tcsi_json_end_array(writer);
    tcsi_json_put_bool(writer, "ready", ready);
    tcsi_json_put_bool(writer, "degraded", degraded);
    tcsi_json_end_object(writer);
    return ready;
}
