/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

enum { POOL_THREAD_COUNT_MAX = 256 };

typedef struct worker {
    tcsi_pool *pool;
    pthread_t thread;
    size_t index;
} worker;

struct tcsi_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    size_t thread_count, started_count; /* threads besides the caller are workers[1..] */
    worker *workers;
    /* The current run, guarded by lock except next_task. */
    tcsi_pool_task task; /* NULL between runs */
    void *context;
    size_t task_count, busy_count; /* workers that have joined the run and not left it */
    uint64_t run_number;
    bool stopping;
    atomic_size_t next_task;
};

static void run_tasks(tcsi_pool *pool, tcsi_pool_task task, void *context, size_t task_count, size_t worker_index)
{
    size_t index;
    while ((index = atomic_fetch_add_explicit(&pool->next_task, 1, memory_order_relaxed)) < task_count)
        task(context, index, worker_index);
}

static void *worker_main(void *argument)
{
    worker *self = argument;
    tcsi_pool *pool = self->pool;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stopping && (!pool->task || pool->run_number == seen)) pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->stopping) break;
        seen = pool->run_number;
        pool->busy_count++;
        tcsi_pool_task task = pool->task;
        void *context = pool->context;
        size_t task_count = pool->task_count;
        pthread_mutex_unlock(&pool->lock);
        run_tasks(pool, task, context, task_count, self->index);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy_count == 0) pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

size_t tcsi_processor_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (size_t)count;
}

void tcsi_thread_lower(tcsi_urgency urgency)
{
#ifdef __linux__
    (void)setpriority(PRIO_PROCESS, 0, (int)urgency);
#else
    (void)urgency;
#endif
}

tcs_status tcsi_pool_create(size_t thread_count, tcsi_pool **ret_pool, tcs_error *err)
{
    if (thread_count == 0) thread_count = tcsi_processor_count();
    if (thread_count > POOL_THREAD_COUNT_MAX) thread_count = POOL_THREAD_COUNT_MAX;
    tcsi_pool *pool = TCSI_NEW(tcsi_pool);
    worker *workers = TCSI_NEW_ZEROS(worker, thread_count);
    if (!pool || !workers) {
        tcsi_free(pool);
        tcsi_free(workers);
        return tcsi_fail_memory(err, "the thread pool");
    }
    pool->workers = workers;
    pool->thread_count = thread_count;
    pool->started_count = 1;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (size_t i = 1; i < thread_count; i++) {
        workers[i] = (worker){ .pool = pool, .index = i };
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0) {
            tcsi_pool_destroy(pool);
            return tcsi_fail(err, TCS_E_LIMIT, "cannot start thread %zu of %zu", i + 1, thread_count);
        }
        pool->started_count++;
    }
    *ret_pool = pool;
    return TCS_OK;
}

void tcsi_pool_destroy(tcsi_pool *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 1; i < pool->started_count; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    tcsi_free(pool->workers);
    tcsi_free(pool);
}

size_t tcsi_pool_thread_count(const tcsi_pool *pool)
{
    return pool ? pool->thread_count : 1;
}

void tcsi_pool_run(tcsi_pool *pool, size_t task_count, tcsi_pool_task task, void *context)
{
    if (!pool || pool->thread_count == 1 || task_count < 2) {
        for (size_t i = 0; i < task_count; i++) task(context, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->context = context;
    pool->task_count = task_count;
    atomic_store_explicit(&pool->next_task, 0, memory_order_relaxed);
    pool->run_number++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    run_tasks(pool, task, context, task_count, 0);
    pthread_mutex_lock(&pool->lock);
    pool->task = NULL; /* a worker that wakes only now has nothing to do here, and nobody waits for it */
    while (pool->busy_count > 0) pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}
