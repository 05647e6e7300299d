/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/self/trace.h"

#include "base/clock.h"
#include "base/rng.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- reading ---- */

static bool is_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) /* upper case is not allowed */
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'))) return false;
    return true;
}

static bool is_id(const char *text, size_t size)
{
    return is_hex(text, size) && strspn(text, "0") < size;
}

bool tcsi_trace_parse(const char *text, tcsi_trace *ret_trace)
{
    if (strlen(text) < TCSI_TRACEPARENT_SIZE) return false;
    const char *trace_id = text + 3, *span_id = text + 36, *flags = text + 53, after = text[TCSI_TRACEPARENT_SIZE];
    bool first = memcmp(text, "00", 2) == 0;
    if (!is_hex(text, 2) || memcmp(text, "ff", 2) == 0 || (first ? after != 0 : after != 0 && after != '-')) return false;
    if (text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
    if (!is_id(trace_id, TCSI_TRACE_ID_SIZE) || !is_id(span_id, TCSI_SPAN_ID_SIZE) || !is_hex(flags, 2)) return false;
    tcsi_trace trace = { 0 };
    memcpy(trace.trace_id, trace_id, TCSI_TRACE_ID_SIZE);
    memcpy(trace.parent_id, span_id, TCSI_SPAN_ID_SIZE);
    trace.sampled = (flags[1] <= '9' ? flags[1] - '0' : flags[1] - 'a' + 10) & 1;
    *ret_trace = trace;
    return true;
}

/* ---- making ---- */

static _Atomic uint64_t seed;    /* 0: not drawn yet */
static _Atomic uint64_t counter;

/* Two processes, and two hosts, must not draw the same ids; nobody has to be unable to guess them. */
static uint64_t draw_seed(void)
{
    static int address_of_ours; /* where we were loaded: differs from run to run */
    uint64_t now = (uint64_t)tcsi_clock_wall_ns(), mixed = 0, drawn = atomic_load(&seed);
    if (drawn) return drawn;
    FILE *random = fopen("/dev/urandom", "rb");
    if (!random || fread(&mixed, 1, sizeof mixed, random) != sizeof mixed)
        mixed = now * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)&address_of_ours;
    if (random) fclose(random);
    uint64_t none = 0;
    atomic_compare_exchange_strong(&seed, &none, mixed | 1); /* who came first, wins */
    return atomic_load(&seed);
}

static void draw_id(char *ret_text, size_t size)
{
    tcsi_rng rng = tcsi_rng_make(draw_seed(), atomic_fetch_add(&counter, 1));
    for (size_t at = 0; at < size; at += 16) snprintf(ret_text + at, 17, "%016" PRIx64, tcsi_rng_u64(&rng) | 1);
}

tcsi_trace tcsi_trace_begin(const char *text)
{
    tcsi_trace trace = { 0 };
    if (!text || !tcsi_trace_parse(text, &trace)) draw_id(trace.trace_id, TCSI_TRACE_ID_SIZE);
    draw_id(trace.span_id, TCSI_SPAN_ID_SIZE);
    return trace;
}

void tcsi_trace_format(const tcsi_trace *trace, char ret_text[TCSI_TRACEPARENT_SIZE + 1])
{
    snprintf(ret_text, TCSI_TRACEPARENT_SIZE + 1, "00-%s-%s-%s", trace->trace_id, trace->span_id, trace->sampled ? "01" : "00");
}

/* ---- of this thread ---- */

static _Thread_local const tcsi_trace *current;

void tcsi_trace_set_current(const tcsi_trace *trace)
{
    current = trace;
}

const tcsi_trace *tcsi_trace_current(void)
{
    return current;
}
