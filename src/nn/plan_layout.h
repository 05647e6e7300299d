/* nn/plan_layout.h -- inside a plan: what plan.c lays out and run.c walks. */
#ifndef TCS_NN_PLAN_LAYOUT_H
#define TCS_NN_PLAN_LAYOUT_H

#include "nn/op.h"
#include "nn/plan.h"

#define TCSI_NOWHERE SIZE_MAX

/* Where a buffer lives: in every lane's memory, for one shard; or once for the whole batch. */
typedef struct tcsi_place {
    size_t offset;     /* floats; TCSI_NOWHERE: there is none */
    size_t row_count;  /* floats a row b */
    bool is_whole;
} tcsi_place;

typedef struct tcsi_node_plan {
    tcsi_place value, gradient, saved;
    size_t input_index;                /* of an input node: which of the run's inputs */
    size_t shared_offset;              /* doubles into shared */
    bool is_needed, has_backward;
    bool wants[TCSI_INPUT_MAX];        /* backward writes the gradient of this input */
    bool accumulate[TCSI_INPUT_MAX];
} tcsi_node_plan;

typedef enum tcsi_step_kind { TCSI_STEP_FORWARD, TCSI_STEP_SEED, TCSI_STEP_BACKWARD } tcsi_step_kind;

typedef struct tcsi_step {
    tcsi_step_kind kind;
    tcsi_node_id node;
    size_t phase;
} tcsi_step;

/* Steps [begin, end) run without waiting for another lane; is_whole: once, on all rows. */
typedef struct tcsi_stage {
    size_t begin, end;
    bool is_whole;
} tcsi_stage;

typedef struct tcsi_program {
    tcsi_step *steps;
    tcsi_stage *stages;
    size_t step_count, stage_count;
} tcsi_program;

struct tcsi_plan {
    tcsi_net *net;
    tcsi_isa isa;
    tcsi_precision precision;
    size_t batch, shard_rows, lane_count;
    double cost; /* multiply-adds of a run */
    bool has_loss;
    tcsi_node_id loss;
    uint64_t groups;
    tcsi_node_plan *nodes;            /* (node_count) */
    tcsi_program forward, train;
    size_t lane_size, whole_size;     /* floats */
    size_t lane_scratch, whole_scratch; /* offsets of the work space */
    tcsi_floats lanes, whole, gradients; /* (lanes, lane_size), (whole_size), (lanes, weight_count) */
    double *shared;
    size_t shared_count;
};

/* What one lane does; run.c. */
typedef struct tcsi_lane_run {
    const tcsi_plan *plan;
    const tcsi_run *run;
    const tcsi_program *program;
    const tcsi_stage *stage;
    double seed_scale;                /* 1 / sum of row weights, 0 when they sum to 0 */
    size_t shard_count;
} tcsi_lane_run;

#endif
