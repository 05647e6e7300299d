/* knowledge/expression.h -- small formulas over channels: what a derived channel is, what must hold, when a rule speaks.
 *
 *     logic      = conjunction { "or" conjunction }
 *     conjunction = negation { "and" negation }
 *     negation   = "not" negation | comparison
 *     comparison = sum [ ( "<" | "<=" | ">" | ">=" | "=" | "!=" ) sum ]
 *     sum        = product { ( "+" | "-" ) product }
 *     product    = factor { ( "*" | "/" ) factor }
 *     factor     = "-" factor | number [ unit of time ] | name | "(" logic ")" | "d" "(" sum ")" "/" "dt"
 *                | "lag" "(" sum "," look ")" | "mean" "(" sum "," look ")" | "abs" "(" sum ")" | ( "min" | "max" ) "(" sum { "," sum } ")"
 *     look       = whole number of rows | duration
 *     equation   = sum ( "=" | "<=" | ">=" ) sum [ ( "±" | "+-" | "+/-" ) number [ "%" ] ]
 *
 * A name is letters, digits, "_" and "." (and anything beyond ASCII), or anything in double quotes or `backticks`.  A number with a unit of
 * time (ms, s, min or m, h, d, w) is so many seconds; d(x)/dt is per second.
 * Parsing is recursive descent, bounded in depth and size; the result is a list of nodes in which operands come before what uses them, so
 * that evaluating is one loop.  Missing stays missing: NaN in, NaN out; in logic `no and missing` is no, `yes or missing` yes. */
#ifndef TCS_KNOWLEDGE_EXPRESSION_H
#define TCS_KNOWLEDGE_EXPRESSION_H

#include "base/arena.h"
#include "knowledge/problems.h"

enum { TCSI_EXPRESSION_NODE_COUNT_MAX = 512, TCSI_EXPRESSION_DEPTH_MAX = 48, TCSI_EXPRESSION_TERM_COUNT_MAX = 64,
       TCSI_LOOK_ROWS_MAX = 100000 };

typedef enum tcsi_op {
    TCSI_OP_NUMBER, TCSI_OP_NAME,
    TCSI_OP_NEGATE, TCSI_OP_ABS, TCSI_OP_NOT,          /* of left */
    TCSI_OP_RATE, TCSI_OP_LAG, TCSI_OP_MEAN,           /* of left, looking back: those remember rows (past.h) */
    TCSI_OP_ADD, TCSI_OP_SUBTRACT, TCSI_OP_MULTIPLY, TCSI_OP_DIVIDE, TCSI_OP_MIN, TCSI_OP_MAX,
    TCSI_OP_LESS, TCSI_OP_LESS_EQUAL, TCSI_OP_GREATER, TCSI_OP_GREATER_EQUAL, TCSI_OP_EQUAL, TCSI_OP_NOT_EQUAL,
    TCSI_OP_AND, TCSI_OP_OR,
} tcsi_op;

typedef struct tcsi_node {
    tcsi_op op;
    uint16_t left, right;  /* nodes before this one */
    double number;         /* NUMBER */
    const char *name;      /* NAME */
    size_t rows;           /* LAG, MEAN: look back so many rows, 1.. ... */
    int64_t duration_ns;   /* ... or so long; the other is 0 */
} tcsi_node;

typedef struct tcsi_expression {
    const tcsi_node *nodes; /* the last is the whole */
    size_t count;
    bool is_logical;
    bool needs_times;       /* looks back for a duration */
} tcsi_expression;

typedef enum tcsi_relation { TCSI_RELATION_EQUAL, TCSI_RELATION_AT_MOST, TCSI_RELATION_AT_LEAST } tcsi_relation;

/* left - right, and what may remain of it.  A percentage is of the largest term, added or subtracted on either side. */
typedef struct tcsi_equation {
    tcsi_expression difference;
    tcsi_relation relation;
    double tolerance;      /* > 0 */
    bool is_percent;
    const uint16_t *terms; /* (term_count) nodes of difference, with is_percent */
    size_t term_count;
} tcsi_equation;

/* Both tell problems with line and column, and return TCS_OK then; *ret_is_good says which.  E_MEMORY. */
tcs_status tcsi_expression_parse(const char *text, bool wants_logic, size_t line, tcsi_arena *arena, tcsi_problems *problems,
                                 tcsi_expression *ret_expression, bool *ret_is_good, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_equation_parse(const char *text, size_t line, tcsi_arena *arena, tcsi_problems *problems, tcsi_equation *ret_equation,
                               bool *ret_is_good, tcs_error *err) TCS_WARN_UNUSED;

/* "90 s", "5min", "1.5h"; false when it is none above 0 and below 10 years. */
bool tcsi_duration_parse(const char *text, int64_t *ret_ns);

/* What a node makes of its operands; not for those that look back.  Logic: 1, 0 or NaN. */
double tcsi_op_apply(tcsi_op op, double left, double right);
/* How it changes with each operand: the derivatives there, of abs, min and max the one to the side that counts.  Of logic 0. */
void tcsi_op_slopes(tcsi_op op, double left, double right, double *ret_left, double *ret_right);

#endif
