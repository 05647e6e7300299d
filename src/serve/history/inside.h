/* serve/history/inside.h -- what chronicle.c, which writes, and read.c, which reads, share. */
#ifndef TCS_SERVE_HISTORY_INSIDE_H
#define TCS_SERVE_HISTORY_INSIDE_H

#include "serve/history/chronicle.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct waiting_reel {
    size_t index;       /* of its cell */
    tcsi_reel_rows rows;
} waiting_reel;

typedef struct known_id {
    uint32_t number;
    int64_t id;         /* in the store */
} known_id;

struct tcsi_chronicle {
    tcsi_chronicle_options options;
    tcsi_live *live;

    /* of the thread that writes */
    pthread_t thread;
    bool is_running;
    tcsi_store *writer;
    tcsi_pack *pack;
    tcsi_buffer name, bytes;
    uint32_t *order;            /* (order_capacity) indices of rows, by series */
    uint32_t *begins;           /* (begin_capacity) of each series in order */
    size_t order_capacity, begin_capacity;
    tcsi_chronicle_stats putting; /* of the scope that is open */
    known_id *putting_ids;
    size_t putting_id_count;

    uint32_t roll_number;       /* of the day that is being rolled: series below it are done */

    /* of whoever reads */
    pthread_mutex_t read_mutex;
    tcsi_store *reader;
    tcsi_pack *read_pack;

    pthread_mutex_t mutex;      /* of what follows */
    pthread_cond_t filled, written, ending;
    waiting_reel waiting[TCSI_CHRONICLE_QUEUE]; /* oldest first; the first one is being written */
    tcsi_reel_rows spares[TCSI_CHRONICLE_QUEUE];
    size_t waiting_count, spare_count;
    uint64_t given_count, written_count;
    int64_t *ids;               /* (begin_capacity) of series in the store; 0: not known yet */
    int64_t rolled_ns;          /* days before it are rolled (roll.h); only the thread that writes changes it */
    tcsi_chronicle_stats stats;
    bool is_failing;
    _Atomic bool is_ending;
};

#endif
