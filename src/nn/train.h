/* nn/train.h -- the steps of training: gradients, clipping, an optimizer, a schedule, averaged weights, early stopping.
 *
 * A trainer belongs to one net and changes the weights of the groups its plan trains.  Creating it allocates; a step allocates nothing.
 * A step's bits depend on the weights, the run and the step number only.  Everything that training carries from step to step
 * persists (base/codec.h), so that an interrupted training continues bit for bit.
 * Threads: one caller; nobody else may use the net meanwhile. */
#ifndef TCS_NN_TRAIN_H
#define TCS_NN_TRAIN_H

#include "base/codec.h"
#include "nn/plan.h"

typedef enum tcsi_optimizer { TCSI_OPTIMIZER_ADAMW, TCSI_OPTIMIZER_SGD } tcsi_optimizer;

typedef enum tcsi_schedule {
    TCSI_SCHEDULE_CONSTANT,
    TCSI_SCHEDULE_COSINE,    /* Loshchilov and Hutter 2017, equation 5, one period: rate down to rate_end over step_count */
    TCSI_SCHEDULE_ONE_CYCLE, /* Smith and Topin 2018, as torch.optim.lr_scheduler.OneCycleLR: cosine up over the first 30 %, then down */
} tcsi_schedule;

typedef struct tcsi_train_options {
    tcsi_optimizer optimizer;
    tcsi_schedule schedule;
    double rate;             /* the highest learning rate; 0: 1e-3 */
    double rate_end;         /* cosine: the last one */
    uint64_t step_count;     /* of the schedule; required unless constant */
    double beta1, beta2, epsilon; /* AdamW; 0: 0.9, 0.999, 1e-8 */
    double momentum;         /* SGD */
    bool nesterov;
    double decay;            /* weight decay of the weights that decay */
    double clip_norm;        /* the gradient's Euclidean norm is cut to this; 0: not */
    double average_decay;    /* of the exponential average of the weights, in (0,1); 0: none kept */
} tcsi_train_options;

typedef struct tcsi_trainer tcsi_trainer;

/* E_INVALID: an option out of range; E_MEMORY. */
tcs_status tcsi_trainer_create(tcsi_net *net, const tcsi_train_options *options, tcsi_trainer **ret_trainer,
                               tcs_error *err) TCS_WARN_UNUSED;
void tcsi_trainer_destroy(tcsi_trainer *trainer); /* accepts NULL */

/* One step: runs the plan backward and updates what it trains; returns the loss before the update.  A gradient that is not finite
 * changes nothing but the step number; tcsi_trainer_skipped counts such steps. */
double tcsi_trainer_step(tcsi_trainer *trainer, tcsi_plan *plan, tcsi_pool *pool, const tcsi_run *run);
uint64_t tcsi_trainer_step_number(const tcsi_trainer *trainer); /* steps done */
uint64_t tcsi_trainer_skipped(const tcsi_trainer *trainer);
double tcsi_trainer_rate(const tcsi_trainer *trainer); /* of the next step */

/* Exchanges the net's weights with their average: once to score with it, again to go on training. */
void tcsi_trainer_swap_average(tcsi_trainer *trainer);

/* Weights, states, moments, average and step number. */
void tcsi_trainer_persist(tcsi_trainer *trainer, tcsi_codec *codec);

/* ---- early stopping ---- */

/* Remembers the best weights seen and says when waiting longer is no use. */
typedef struct tcsi_early_stop {
    tcsi_net *net;
    tcsi_floats best_weights, best_states;
    double best_loss;
    size_t patience, since_best; /* rounds without an improvement that are waited; rounds waited so far */
} tcsi_early_stop;

tcs_status tcsi_early_stop_init(tcsi_early_stop *stop, tcsi_net *net, size_t patience, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_early_stop_deinit(tcsi_early_stop *stop); /* accepts a zeroed struct */
/* Takes the loss of the validation rows with the net's present weights; false: stop.  A loss that is not a number never improves. */
bool tcsi_early_stop_push(tcsi_early_stop *stop, double loss);
/* The best weights, their loss and the rounds waited. */
void tcsi_early_stop_persist(tcsi_early_stop *stop, tcsi_codec *codec);
void tcsi_early_stop_restore(const tcsi_early_stop *stop); /* the best weights back into the net; nothing when none was seen */

#endif
