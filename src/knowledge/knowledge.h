/* knowledge/knowledge.h -- what people know of their data, as a file states it (docs/reference/knowledge.md).
 *
 * Read once, checked as a whole, immutable afterwards but for the number of its owners; bound.h applies it to the channels of an input.
 * Everything that can be told without an input is checked here: form, ranges, formulas, circles, constraints that leave no value, zones
 * and dates.  The text and the data of its zones are kept: a bundle carries them and reads the same again, wherever it is.
 * Threads: any number of readers. */
#ifndef TCS_KNOWLEDGE_KNOWLEDGE_H
#define TCS_KNOWLEDGE_KNOWLEDGE_H

#include "base/codec.h"
#include "knowledge/event.h"
#include "knowledge/expression.h"
#include "knowledge/order.h"

#include <stdatomic.h>

enum { TCSI_RULE_COUNT_MAX = 12, TCSI_FORMULA_COUNT_MAX = 256, TCSI_STEP_COUNT_MAX = 8, TCSI_ZONE_COUNT_MAX = 32,
       TCSI_ENTRY_COUNT_MAX = 10000 };

/* What is true of the channels that a pattern names. */
typedef struct tcsi_channel_fact {
    const char *pattern; /* a name, or with * and ? */
    size_t line;
    const char *unit;    /* NULL: none */
    double low, high;    /* readings outside are impossible; infinite: any */
} tcsi_channel_fact;

typedef struct tcsi_limit {
    const char *pattern;
    size_t line;
    double below, above; /* passed when the value is; NaN: none */
    int64_t for_ns;      /* and has been for so long */
} tcsi_limit;

/* A derived channel or, with is_constraint, what remains of a constraint in units of its tolerance. */
typedef struct tcsi_formula {
    const char *name, *text;
    size_t line;
    bool is_constraint;
    tcsi_expression expression; /* of a constraint its equation's difference */
    tcsi_equation equation;
} tcsi_formula;

#define TCSI_SHAPE_LIST(X)                                                   \
    X(RISE, "rise", "goes up and stays")                                     \
    X(FALL, "fall", "goes down and stays")                                   \
    X(SPIKE, "spike", "a short peak, up or down")                            \
    X(STUCK, "stuck", "repeats one value, though it did not before")         \
    X(DROP_OUT, "drop-out", "is missing, though it was not before")          \
    X(OSCILLATION, "oscillation", "swings up and down")                      \
    X(NOISE, "noise", "varies much more from row to row")

typedef enum tcsi_shape_kind {
#define X(kind, name, help) TCSI_SHAPE_##kind,
    TCSI_SHAPE_LIST(X)
#undef X
    TCSI_SHAPE_COUNT
} tcsi_shape_kind;

typedef struct tcsi_step {
    const char *pattern;
    size_t line;
    tcsi_shape_kind shape;
    int64_t within_ns;   /* after the step before; 0: any time */
} tcsi_step;

typedef struct tcsi_signature {
    const char *name;
    size_t line;
    const tcsi_step *steps;
    size_t step_count;
    bool in_any_order;
} tcsi_signature;

typedef struct tcsi_rule {
    const char *name, *text;
    size_t line;
    tcsi_expression when;
    bool says_anomaly;
} tcsi_rule;

typedef struct tcsi_zone_data {
    const char *name;
    const void *bytes;
    size_t size;
} tcsi_zone_data;

typedef struct tcsi_knowledge {
    atomic_uint owner_count;
    tcsi_arena arena;
    const char *file, *text;
    size_t text_size;
    const tcsi_channel_fact *facts;
    const tcsi_limit *limits;
    const tcsi_formula *formulas;
    const uint16_t *order;         /* (formula_count) each after those that it refers to */
    const tcsi_signature *signatures;
    const tcsi_known_event *events;
    const tcsi_rule *rules;
    tcsi_zone_data *zone_data;     /* those that were read from files */
    tcsi_zone *zones;
    size_t fact_count, limit_count, formula_count, signature_count, event_count, rule_count, zone_data_count, zone_count;
} tcsi_knowledge;

/* zone_data: (zone_data_count) looked at before the C library's; may be NULL.  E_FORMAT: problems has them all; E_MEMORY, E_UNSUPPORTED. */
tcs_status tcsi_knowledge_parse(const char *text, size_t size, const char *file, const tcsi_zone_data *zone_data, size_t zone_data_count,
                                tcsi_problems *problems, tcsi_knowledge **ret_knowledge, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_knowledge_read(const char *path, tcsi_problems *problems, tcsi_knowledge **ret_knowledge, tcs_error *err) TCS_WARN_UNUSED;
/* Another owner; each destroys it once. */
const tcsi_knowledge *tcsi_knowledge_ref(const tcsi_knowledge *knowledge);
void tcsi_knowledge_destroy(const tcsi_knowledge *knowledge); /* accepts NULL */
/* Loading: into NULL. */
void tcsi_knowledge_persist(const tcsi_knowledge **knowledge, tcsi_codec *codec);

/* The index of a formula; formula_count: none of this name. */
size_t tcsi_knowledge_formula(const tcsi_knowledge *knowledge, const char *name);
/* * is any text, ? one byte. */
bool tcsi_pattern_matches(const char *pattern, const char *name);
bool tcsi_pattern_is_name(const char *pattern);
const char *tcsi_shape_name(tcsi_shape_kind shape);

/* What was understood, in words, a line each. */
tcs_status tcsi_knowledge_describe(const tcsi_knowledge *knowledge, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* "pressure above 8 bar for 30 s"; of a limit that a bound channel passed. */
void tcsi_limit_format(const tcsi_limit *limit, const char *channel, const char *unit, char *ret_text, size_t size);
void tcsi_duration_format(int64_t duration_ns, char *ret_text, size_t size);

/* Circles among formulas (circle.c), which also fills knowledge->order, and constraints that no values fit (contradiction.c). */
tcs_status tcsi_knowledge_check_circles(tcsi_knowledge *knowledge, tcsi_problems *problems, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_knowledge_check_contradictions(const tcsi_knowledge *knowledge, tcsi_problems *problems, tcs_error *err) TCS_WARN_UNUSED;

#endif
