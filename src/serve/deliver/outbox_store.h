/* serve/deliver/outbox_store.h -- the outbox that src/store keeps: one store handle for each receiver's thread, since a handle is for one
 * thread at a time, and one for whoever puts.  A put inside tcsi_store_begin and commit happens together with the rest of the scope.
 * Threads: as the handle's. */
#ifndef TCS_SERVE_DELIVER_OUTBOX_STORE_H
#define TCS_SERVE_DELIVER_OUTBOX_STORE_H

#include "serve/deliver/outbox.h"
#include "store/store.h"

tcsi_outbox tcsi_outbox_of_store(tcsi_store *store); /* which must outlive it */

#endif
