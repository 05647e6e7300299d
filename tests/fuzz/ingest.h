/* tests/fuzz/ingest.h -- a body of any format of src/serve/ingest: what must hold of the batch, its keys and the reply. */
#ifndef TCS_FUZZ_INGEST_H
#define TCS_FUZZ_INGEST_H

#include "fuzz.h"

#include "serve/ingest/ingest.h"

/* What a batch promises, whatever it was made of. */
static inline void fuzz_batch(const tcsi_batch *batch)
{
    uint64_t next = 0, stale = 0;
    for (size_t s = 0; s < batch->series_count; s++) {
        FUZZ_REQUIRE(batch->series[s].sample_begin == next && batch->series[s].sample_count > 0);
        next += batch->series[s].sample_count;
    }
    for (size_t i = 0; i < batch->sample_count; i++) {
        FUZZ_REQUIRE(isfinite(batch->values[i]) || tcsi_value_is_stale(batch->values[i]));
        stale += tcsi_value_is_stale(batch->values[i]);
    }
    FUZZ_REQUIRE(next == batch->sample_count && batch->outcomes[TCSI_OUTCOME_STALE] == stale);
    FUZZ_REQUIRE(batch->outcomes[TCSI_OUTCOME_ACCEPTED] + stale == batch->sample_count);
}

/* Keys have bytes and a text that lead back to them. */
static inline void fuzz_key(const tcsi_key *key)
{
    unsigned char bytes[TCSI_KEY_SIZE_MAX];
    tcsi_key again;
    tcsi_buffer text;
    tcsi_arena arena;
    tcs_error err;
    size_t size = tcsi_key_encode(key, bytes);
    FUZZ_REQUIRE(tcsi_key_decode(bytes, size, &again, &err) == TCS_OK && again.tag_count == key->tag_count);
    tcsi_buffer_init(&text, 1 << 16);
    tcsi_arena_init(&arena, 0);
    FUZZ_REQUIRE(tcsi_key_print(key, &text, &err) == TCS_OK);
    FUZZ_REQUIRE(tcsi_key_parse(text.data, text.size, &arena, &again, &err) == TCS_OK);
    FUZZ_REQUIRE(tcsi_fingerprint_equal(tcsi_key_fingerprint(&again), tcsi_key_fingerprint(key)));
    tcsi_buffer_deinit(&text);
    tcsi_arena_deinit(&arena);
}

/* Into a batch that stays warm from input to input, as in the service, and into a new one: the same. */
static inline void fuzz_ingest(tcsi_ingest_format format, const uint8_t *bytes, size_t size)
{
    static tcsi_batch batch;
    static bool warm;
    tcsi_batch fresh;
    tcsi_key key;
    tcs_error err = { 0 };
    const tcsi_ingest_limits limits = { 1 << 20, 1 << 20, 10000, 10000, 10000 };
    if (!warm) tcsi_batch_init(&batch, &limits);
    warm = true;
    tcsi_batch_init(&fresh, &limits);
    tcs_status status = tcsi_ingest_decode(format, bytes, size, 1000, &batch, &err);
    FUZZ_REQUIRE(status == TCS_OK || (err.status == status && strlen(err.text) > 5 && batch.series_count == 0));
    FUZZ_REQUIRE(tcsi_ingest_decode(format, bytes, size, 1000, &fresh, &err) == status);
    FUZZ_REQUIRE(fresh.series_count == batch.series_count && fresh.sample_count == batch.sample_count);
    FUZZ_REQUIRE(memcmp(fresh.outcomes, batch.outcomes, sizeof batch.outcomes) == 0);
    fuzz_batch(&batch);
    for (size_t s = 0; s < batch.series_count; s++) {
        FUZZ_REQUIRE(tcsi_fingerprint_equal(batch.series[s].fingerprint, fresh.series[s].fingerprint));
        tcsi_outcome outcome = tcsi_batch_key(&batch, s, &key);
        if (outcome == TCSI_OUTCOME_ACCEPTED) fuzz_key(&key);
        else tcsi_batch_refuse(&batch, s, outcome);
    }
    FUZZ_REQUIRE((tcsi_batch_count(&batch, TCSI_OUTCOME_REFUSED) > batch.outcomes[TCSI_OUTCOME_HISTOGRAM]) == (batch.complaint.text[0] != 0));
    tcsi_buffer out;
    tcsi_ingest_reply reply;
    tcsi_buffer_init(&out, 1 << 14);
    FUZZ_REQUIRE(tcsi_ingest_reply_to(format, status, &err, &batch, &out, &reply, &err) == TCS_OK);
    FUZZ_REQUIRE(reply.code == 200 || reply.code == 204 || reply.code == 400 || reply.code == 413 || reply.code == 415);
    FUZZ_REQUIRE(reply.samples_written <= batch.sample_count + batch.outcomes[TCSI_OUTCOME_NOT_FINITE]);
    tcsi_buffer_deinit(&out);
    tcsi_batch_deinit(&fresh);
}

#endif
