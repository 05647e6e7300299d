/* serve/deep/shadow.h -- how a challenger does beside the champion, on the same live rows.  Threads: plain data. */
#ifndef TCS_SERVE_DEEP_SHADOW_H
#define TCS_SERVE_DEEP_SHADOW_H

#include "base/hash.h"

/* Index 0: the challenger, 1: the champion. */
enum { TCSI_DEEP_CHALLENGER, TCSI_DEEP_CHAMPION, TCSI_DEEP_SIDES };

/* Rows out of the ordinary that both have scored; of the challenger that is compared now. */
typedef struct tcsi_deep_shadow {
    char model[TCSI_HASH_TEXT_SIZE];  /* the challenger; "": there is none */
    uint64_t compared, skipped;       /* skipped: there was no time for it */
    uint64_t both, challenger_only, champion_only; /* of compared: call it confirmed */
    uint64_t low[TCSI_DEEP_SIDES];    /* chances below 0.01: challenger, champion */
    uint64_t answered;                /* rows that the challenger answered: those of the canary's series */
} tcsi_deep_shadow;

#endif
