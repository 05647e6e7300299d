/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/breaker.h"

#include <math.h>

enum { OPEN_TICKS = 10, TRIALS = 2 };
static const double FADE = 0.8, LATE_MIN = 8, TRIED_MIN = 3, COUNT_MAX = 1e12;

static void enter(tcsi_breaker *breaker, tcsi_breaker_state state)
{
    breaker->state = state;
    breaker->ticks = 0;
    breaker->trials = TRIALS;
    breaker->in_time = breaker->late = 0;
    breaker->opened_count += state == TCSI_BREAKER_OPEN;
}

bool tcsi_breaker_ask(tcsi_breaker *breaker)
{
    if (breaker->state == TCSI_BREAKER_CLOSED) return true;
    if (breaker->state == TCSI_BREAKER_OPEN || breaker->trials == 0) return false;
    breaker->trials--;
    return true;
}

void tcsi_breaker_note(tcsi_breaker *breaker, bool is_late)
{
    if (breaker->state == TCSI_BREAKER_OPEN) return; /* of questions from before it opened */
    double *count = is_late ? &breaker->late : &breaker->in_time;
    *count = fmin(*count + 1, COUNT_MAX);
}

void tcsi_breaker_tick(tcsi_breaker *breaker)
{
    const bool is_bad = breaker->late > breaker->in_time;
    if (breaker->state == TCSI_BREAKER_OPEN) {
        if (++breaker->ticks >= OPEN_TICKS) enter(breaker, TCSI_BREAKER_HALF_OPEN);
        return;
    }
    if (breaker->state == TCSI_BREAKER_HALF_OPEN) { /* trials are few: they count until they decide */
        breaker->trials = TRIALS;
        if (is_bad && breaker->late >= TRIED_MIN) enter(breaker, TCSI_BREAKER_OPEN);
        else if (!is_bad && breaker->in_time >= TRIED_MIN) enter(breaker, TCSI_BREAKER_CLOSED);
        return;
    }
    if (is_bad && breaker->late >= LATE_MIN) {
        enter(breaker, TCSI_BREAKER_OPEN);
        return;
    }
    breaker->in_time *= FADE;
    breaker->late *= FADE;
}

void tcsi_breaker_persist(tcsi_breaker *breaker, tcsi_codec *codec)
{
    tcsi_codec_u32(codec, &breaker->state);
    tcsi_codec_u32(codec, &breaker->ticks);
    tcsi_codec_u32(codec, &breaker->trials);
    tcsi_codec_f64(codec, &breaker->in_time);
    tcsi_codec_f64(codec, &breaker->late);
    tcsi_codec_u64(codec, &breaker->opened_count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    const bool is_counted = breaker->in_time >= 0 && breaker->in_time <= COUNT_MAX && breaker->late >= 0 && breaker->late <= COUNT_MAX;
    if (breaker->state >= TCSI_BREAKER_STATE_COUNT || breaker->ticks > OPEN_TICKS || breaker->trials > TRIALS || !is_counted)
        tcsi_codec_refuse(codec, "a breaker out of range");
}
