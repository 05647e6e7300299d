/* detect/registry.h -- every detector there is; the list itself is registry.def. */
#ifndef TCS_DETECT_REGISTRY_H
#define TCS_DETECT_REGISTRY_H

#include "detect/detector.h"

size_t tcsi_registry_count(void);
const tcsi_detector_info *tcsi_registry_at(size_t index); /* in the order of registry.def */
const tcsi_detector_info *tcsi_registry_find(const char *name); /* NULL: no such detector */

/* E_INVALID with a sentence that suggests the nearest names. */
tcs_status tcsi_registry_get(const char *name, const tcsi_detector_info **ret_info, tcs_error *err) TCS_WARN_UNUSED;

/* A detector's name in a saved state, by which it is found again when loading; E_INVALID as get, E_FORMAT for what is no name. */
void tcsi_registry_persist(const tcsi_detector_info **info, tcsi_codec *codec);

#endif
