/* serve/shard/verdicts.h -- answers of the deep layer as the journal has them.
 *
 *     32 bytes  hash of the model that answered; zeros: there was none
 *     u32 count  u32 0
 *     count x { u64 serial  u32 series  u32 is_untrained  f32 chance  u32 0 }        little-endian
 *
 * The hash is for people who want to know who said so: what is applied are the chances.  Threads: plain data. */
#ifndef TCS_SERVE_SHARD_VERDICTS_H
#define TCS_SERVE_SHARD_VERDICTS_H

#include "base/buffer.h"
#include "base/hash.h"
#include "serve/shard/second_look.h"

enum { TCSI_VERDICTS_COUNT_MAX = 65536 };

/* Appends the record to out.  model_hash: in hex; "": none.  count <= TCSI_VERDICTS_COUNT_MAX. */
tcs_status tcsi_verdicts_write(const char *model_hash, const tcsi_deep_answer *answers, size_t count, tcsi_buffer *out,
                               tcs_error *err) TCS_WARN_UNUSED;
/* How many there are.  E_FORMAT: it is no such record. */
tcs_status tcsi_verdicts_check(const void *bytes, size_t size, size_t *ret_count, tcs_error *err) TCS_WARN_UNUSED;
/* The i-th of a record that was checked. */
tcsi_deep_answer tcsi_verdicts_at(const void *bytes, size_t index);

#endif
