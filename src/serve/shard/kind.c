/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/kind.h"

const char *const tcsi_live_kind_names[TCSI_LIVE_KIND_COUNT] = { "anomaly", "absence", "stuck", "stale", "late", "cadence", "limit" };
const char *const tcsi_live_state_names[TCSI_LIVE_STATE_COUNT] = { "suspected", "confirmed", "resolved", "dismissed" };
