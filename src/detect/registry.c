/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/registry.h"

#include "base/text.h"

#include <string.h>

#define DETECTOR(folder, file) extern const tcsi_detector_info tcsi_detector_##file;
#include "detect/registry.def"
#undef DETECTOR

static const tcsi_detector_info *const registry[] = {
#define DETECTOR(folder, file) &tcsi_detector_##file,
#include "detect/registry.def"
#undef DETECTOR
};

enum { NAME_SIZE = 32 };

size_t tcsi_registry_count(void)
{
    return TCS_COUNT(registry);
}

const tcsi_detector_info *tcsi_registry_at(size_t index)
{
    TCS_ASSERT(index < TCS_COUNT(registry));
    return registry[index];
}

const tcsi_detector_info *tcsi_registry_find(const char *name)
{
    for (size_t i = 0; i < TCS_COUNT(registry); i++)
        if (strcmp(registry[i]->name, name) == 0) return registry[i];
    return NULL;
}

tcs_status tcsi_registry_get(const char *name, const tcsi_detector_info **ret_info, tcs_error *err)
{
    const tcsi_detector_info *info = tcsi_registry_find(name);
    if (!info) {
        const char *names[TCS_COUNT(registry)];
        for (size_t i = 0; i < TCS_COUNT(registry); i++) names[i] = registry[i]->name;
        const char *nearest = tcsi_text_nearest(name, names, TCS_COUNT(registry));
        return tcsi_fail(err, TCS_E_INVALID, "no detector is called '%s'%s%s%s", name, nearest ? "; did you mean '" : "",
                         nearest ? nearest : "", nearest ? "'?" : "; `tocsin detect --help` lists them");
    }
    *ret_info = info;
    return TCS_OK;
}

void tcsi_registry_persist(const tcsi_detector_info **info, tcsi_codec *codec)
{
    char name[NAME_SIZE] = { 0 };
    if (!tcsi_codec_loading(codec)) {
        TCS_ASSERT(strlen((*info)->name) < sizeof name);
        memcpy(name, (*info)->name, strlen((*info)->name));
    }
    tcsi_codec_bytes(codec, name, sizeof name);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (name[NAME_SIZE - 1]) tcsi_codec_refuse(codec, "a detector's name that does not end");
    else codec->status = tcsi_registry_get(name, info, codec->err);
}
