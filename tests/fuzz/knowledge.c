/* tests/fuzz/knowledge.c -- knowledge files and the data of time zones: a clear answer whatever they hold.  A first byte of 0 marks a zone;
 * everything else is a file.  One that is taken can be said in words, saved and read back, and applied to rows of any values. */
#include "fuzz.h"

#include "knowledge/bound.h"
#include "knowledge/votes.h"

enum { CHANNELS = 4, ROWS = 40 };
static const char *const NAMES[CHANNELS] = { "a", "b", "flow", "c d" };

static void try_zone(const uint8_t *bytes, size_t size)
{
    tcsi_arena arena;
    tcsi_zone zone;
    tcs_error err = { 0 };
    tcsi_arena_init(&arena, 1 << 24);
    const tcs_status status = tcsi_zone_parse("Fuzz/Zone", bytes, size, &arena, &zone, &err);
    FUZZ_REQUIRE(status == TCS_OK || (err.status == status && strlen(err.text) > 5));
    for (int64_t t = -5000000000; status == TCS_OK && t < 20000000000; t += 123456789) {
        const int32_t offset_s = tcsi_zone_offset_s(&zone, t);
        FUZZ_REQUIRE(offset_s > -200000 && offset_s < 200000);
        const int64_t moment = tcsi_zone_moment(&zone, t);
        FUZZ_REQUIRE(moment > t - 200000 && moment < t + 200000);
    }
    tcsi_arena_deinit(&arena);
}

static double odd_value(size_t t, size_t c)
{
    static const double values[] = { 0, 1, -1, 0.5, 1e150, -1e150, 1e-300, 3, 1e9, 7 };
    return (t + 3 * c) % 11 == 0 ? NAN : values[(t * 7 + c * 3) % TCS_COUNT(values)];
}

static void apply(const tcsi_knowledge *knowledge, tcsi_problems *problems)
{
    tcsi_bound *bound = NULL;
    tcsi_votes votes = { 0 };
    tcs_error err = { 0 };
    const tcs_status status = tcsi_bound_create(knowledge, NAMES, CHANNELS, true, problems, &bound, &err);
    FUZZ_REQUIRE(status == TCS_OK || (bound == NULL && strlen(err.text) > 5));
    if (status != TCS_OK) return;
    double *out = tcsi_alloc_array(bound->out_count, sizeof *out);
    FUZZ_REQUIRE(out && tcsi_votes_init(&votes, knowledge, &err) == TCS_OK);
    for (size_t t = 0; t < ROWS; t++) {
        double in[CHANNELS];
        tcsi_bound_row row;
        for (size_t c = 0; c < CHANNELS; c++) in[c] = odd_value(t, c);
        FUZZ_REQUIRE(tcsi_bound_push(bound, (int64_t)t * 1234567890123, in, out, &row, &err) == TCS_OK);
        for (size_t c = 0; c < bound->out_count; c++) FUZZ_REQUIRE(!isinf(out[c]));
        FUZZ_REQUIRE(row.spoken >> knowledge->rule_count == 0);
        tcsi_votes_add(&votes, row.spoken, t % 9 == 0, TCSI_TRUTH_UNKNOWN);
    }
    tcsi_votes_estimate(&votes);
    for (size_t j = 0; j <= knowledge->rule_count; j++)
        FUZZ_REQUIRE(tcsi_votes_accuracy(&votes, j) >= 0 && tcsi_votes_accuracy(&votes, j) <= 1);
    tcsi_votes_deinit(&votes);
    tcsi_free(out);
    tcsi_bound_destroy(bound);
}

static void save_and_load(const tcsi_knowledge *knowledge)
{
    const tcsi_knowledge *loaded = NULL;
    tcsi_buffer bytes;
    tcs_error err = { 0 };
    tcsi_buffer_init(&bytes, 1 << 26);
    tcsi_codec save = tcsi_codec_save(&bytes, &err);
    tcsi_knowledge_persist(&knowledge, &save);
    FUZZ_REQUIRE(tcsi_codec_status(&save) == TCS_OK);
    tcsi_codec load = tcsi_codec_load(bytes.data, bytes.size, &err);
    tcsi_knowledge_persist(&loaded, &load);
    FUZZ_REQUIRE(tcsi_codec_status(&load) == TCS_OK && loaded && load.in_size == 0 && strcmp(loaded->text, knowledge->text) == 0);
    tcsi_knowledge_destroy(loaded);
    tcsi_buffer_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tcsi_knowledge *knowledge = NULL;
    tcs_error err = { 0 };
    if (size > 0 && bytes[0] == 0) {
        try_zone(bytes + 1, size - 1);
        return 0;
    }
    tcsi_problems *problems = tcsi_alloc(sizeof *problems);
    FUZZ_REQUIRE(problems != NULL);
    const tcs_status status = tcsi_knowledge_parse((const char *)bytes, size, "fuzz", NULL, 0, problems, &knowledge, &err);
    FUZZ_REQUIRE(status == TCS_OK || (knowledge == NULL && err.status == status && strlen(err.text) > 5));
    if (status == TCS_OK) {
        tcsi_buffer words;
        tcsi_buffer_init(&words, 1 << 26);
        FUZZ_REQUIRE(tcsi_knowledge_describe(knowledge, &words, &err) == TCS_OK && words.size > 0);
        tcsi_buffer_deinit(&words);
        save_and_load(knowledge);
        apply(knowledge, problems);
    }
    tcsi_knowledge_destroy(knowledge);
    tcsi_free(problems);
    return 0;
}
