/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/limiter.h"

#include "base/alloc.h"

#include <pthread.h>

enum { SET_SIZE = 8, SET_COUNT = TCSI_LIMITER_SLOTS / SET_SIZE, LOCK_COUNT = 16 };

typedef struct slot {
    uint64_t key;
    tcsi_bucket bucket;
} slot;

struct tcsi_limiter {
    pthread_mutex_t locks[LOCK_COUNT]; /* of every LOCK_COUNT-th set */
    slot sets[SET_COUNT][SET_SIZE];
};

int64_t tcsi_bucket_take(tcsi_bucket *bucket, double rate, double burst, double cost, int64_t now_ns)
{
    double wanted = cost > 0 ? cost : 1, used = bucket->used;
    if (now_ns > bucket->at_ns) used -= rate * (double)(now_ns - bucket->at_ns) * 1e-9;
    if (used < 0) used = 0;
    if (used + wanted > burst) {
        double wait_s = rate > 0 ? (used + wanted - burst) / rate : 3600;
        return wait_s < 3600 ? (int64_t)(wait_s * 1e9) + 1 : (int64_t)3600 * 1000000000;
    }
    if (cost > 0) *bucket = (tcsi_bucket){ used + cost, now_ns > bucket->at_ns ? now_ns : bucket->at_ns };
    return 0;
}

tcs_status tcsi_limiter_create(tcsi_limiter **ret_limiter, tcs_error *err)
{
    tcsi_limiter *limiter = TCSI_NEW(tcsi_limiter);
    if (!limiter) return tcsi_fail_memory(err, "rate limits");
    for (size_t l = 0; l < LOCK_COUNT; l++) pthread_mutex_init(&limiter->locks[l], NULL);
    *ret_limiter = limiter;
    return TCS_OK;
}

void tcsi_limiter_destroy(tcsi_limiter *limiter)
{
    if (!limiter) return;
    for (size_t l = 0; l < LOCK_COUNT; l++) pthread_mutex_destroy(&limiter->locks[l]);
    tcsi_free(limiter);
}

/* The slot of key, or the one that gives way to it. */
static slot *find_slot(slot *set, uint64_t key)
{
    slot *oldest = set;
    for (size_t s = 0; s < SET_SIZE; s++) {
        if (set[s].key == key) return &set[s];
        if (set[s].bucket.at_ns < oldest->bucket.at_ns) oldest = &set[s];
    }
    *oldest = (slot){ .key = key };
    return oldest;
}

int64_t tcsi_limiter_take(tcsi_limiter *limiter, uint64_t key, double rate, double burst, double cost, int64_t now_ns)
{
    size_t set = key % SET_COUNT;
    pthread_mutex_t *lock = &limiter->locks[set % LOCK_COUNT];
    pthread_mutex_lock(lock);
    int64_t wait = tcsi_bucket_take(&find_slot(limiter->sets[set], key)->bucket, rate, burst, cost, now_ns);
    pthread_mutex_unlock(lock);
    return wait;
}

uint64_t tcsi_limiter_key(const char *text, uint64_t number)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (number * 0x9e3779b97f4a7c15u); /* FNV-1a, then mixed */
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    return (hash ^ hash >> 32) | 1; /* 0 is an empty slot */
}
