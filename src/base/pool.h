/* base/pool.h -- a fixed set of threads that run numbered tasks; and how urgent a thread is.
 * Work is cut by data, never by thread count: task i does the same thing whoever runs it, so results have the same bits
 * for any number of threads.  A NULL pool is valid everywhere and runs the tasks in order on the caller.
 * Threads: one run at a time per pool; a task must not call run on its own pool. */
#ifndef TCS_BASE_POOL_H
#define TCS_BASE_POOL_H

#include "base/status.h"

typedef struct tcsi_pool tcsi_pool;

/* thread_count: threads that work, the caller of run among them; 0 = one per processor.  At most 256. */
tcs_status tcsi_pool_create(size_t thread_count, tcsi_pool **ret_pool, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_pool_destroy(tcsi_pool *pool); /* accepts NULL */
size_t tcsi_pool_thread_count(const tcsi_pool *pool); /* 1 for NULL */

/* Runs task(context, 0) ... task(context, task_count - 1) and returns when all are done.
 * worker_index < thread_count names the thread, for scratch memory only. */
typedef void (*tcsi_pool_task)(void *context, size_t task_index, size_t worker_index);
void tcsi_pool_run(tcsi_pool *pool, size_t task_count, tcsi_pool_task task, void *context);

size_t tcsi_processor_count(void);

/* What has time leaves the processors to what has not.  Of the calling thread alone, on Linux; elsewhere nothing changes. */
typedef enum tcsi_urgency {
    TCSI_URGENCY_LOW = 5,   /* nice levels: a third of what others get, where both want the processor */
    TCSI_URGENCY_NONE = 19  /* whatever nobody else wants */
} tcsi_urgency;
void tcsi_thread_lower(tcsi_urgency urgency);

#endif
