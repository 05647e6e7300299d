/* tests/support/batches.h -- a batch as text, one line a sample, as tests/golden/ingest/generate.py writes what it expects. */
#ifndef TCS_TEST_BATCHES_H
#define TCS_TEST_BATCHES_H

#include "test.h"

#include "base/file.h"
#include "serve/ingest/ingest.h"

static const char *const batch_kinds[] = { "unstated", "gauge", "counter", "rate" };

/* What tests/golden/ingest/NAME holds. */
static inline tcsi_buffer batch_file(const char *name)
{
    char path[256];
    tcsi_buffer bytes;
    snprintf(path, sizeof path, "tests/golden/ingest/%s", name);
    tcsi_buffer_init(&bytes, 1 << 26);
    assert_ok(tcsi_file_read(test_source(path), &bytes, test_err));
    return bytes;
}

/* Series whose tags are no key are refused on the way. */
static inline void batch_print(tcsi_batch *batch, tcsi_buffer *out)
{
    for (size_t s = 0; s < batch->series_count; s++) {
        const tcsi_batch_series *series = &batch->series[s];
        tcsi_key key;
        tcsi_outcome outcome = tcsi_batch_key(batch, s, &key);
        if (outcome != TCSI_OUTCOME_ACCEPTED) tcsi_batch_refuse(batch, s, outcome);
        for (uint32_t i = 0; i < series->sample_count; i++) {
            uint64_t bits;
            memcpy(&bits, &batch->values[series->sample_begin + i], sizeof bits);
            assert_ok(tcsi_key_print(&key, out, test_err));
            assert_ok(tcsi_buffer_printf(out, test_err, "\t%s\t%lld\t%016llx\n", batch_kinds[series->kind],
                                         (long long)batch->times_ns[series->sample_begin + i], (unsigned long long)bits));
        }
    }
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++)
        if (batch->outcomes[i] > 0)
            assert_ok(tcsi_buffer_printf(out, test_err, "# %s %llu\n", tcsi_outcome_name((tcsi_outcome)i), (unsigned long long)batch->outcomes[i]));
}

/* The batch is as NAME.expected says. */
static inline void batch_expect(tcsi_batch *batch, const char *name)
{
    char file[128];
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 26);
    assert_ok(tcsi_buffer_puts(&out, "", test_err));
    batch_print(batch, &out);
    snprintf(file, sizeof file, "%s.expected", name);
    tcsi_buffer expected = batch_file(file);
    if (out.size != expected.size || memcmp(out.data, expected.data, out.size) != 0)
        fail_msg("%s differs; got:\n%s\nexpected:\n%s", name, out.data, expected.data);
    tcsi_buffer_deinit(&out);
    tcsi_buffer_deinit(&expected);
}

/* What must hold of any batch, however it came to be. */
static inline bool batch_is_sound(const tcsi_batch *batch)
{
    size_t next = 0, stale = 0;
    for (size_t s = 0; s < batch->series_count; s++) {
        const tcsi_batch_series *series = &batch->series[s];
        if (series->sample_begin != next || series->sample_count == 0) return false;
        next += series->sample_count;
    }
    for (size_t i = 0; i < batch->sample_count; i++) {
        bool is_stale = tcsi_value_is_stale(batch->values[i]);
        if (!is_stale && !isfinite(batch->values[i])) return false;
        stale += is_stale;
    }
    return next == batch->sample_count && batch->outcomes[TCSI_OUTCOME_STALE] == stale &&
           batch->outcomes[TCSI_OUTCOME_ACCEPTED] + stale == batch->sample_count;
}

#endif
