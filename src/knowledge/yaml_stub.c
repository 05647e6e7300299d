/* knowledge/yaml_stub.c -- stands in for yaml.c in builds without libyaml.  SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/yaml.h"

const tcsi_yaml *tcsi_yaml_get(const tcsi_yaml *map, const char *key)
{
    (void)map;
    (void)key;
    return NULL;
}

tcs_status tcsi_yaml_parse(const char *text, size_t size, tcsi_arena *arena, tcsi_problems *problems, const tcsi_yaml **ret_root,
                           tcs_error *err)
{
    (void)text;
    (void)size;
    (void)arena;
    *ret_root = NULL;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: this build cannot read knowledge files; build with -Dyaml=enabled", problems->file);
}
