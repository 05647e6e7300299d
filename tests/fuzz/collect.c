/* tests/fuzz/collect.c -- the kernel's files: the first byte says which, the rest is its text.  Twice, as two ticks: everything told must
 * come out as valid text. */
#include "fuzz.h"

#include "serve/collect/parse.h"

static const tcsi_collect_parse parsers[] = {
    tcsi_collect_stat, tcsi_collect_loadavg, tcsi_collect_meminfo, tcsi_collect_vmstat, tcsi_collect_diskstats, tcsi_collect_net_dev,
    tcsi_collect_pressure_cpu, tcsi_collect_pressure_io, tcsi_collect_pressure_memory, tcsi_collect_file_nr,
};

static void check_figures(const tcsi_figures *figures)
{
    tcsi_buffer text;
    tcsi_arena arena;
    const tcsi_json_value *row;
    tcs_error err;
    tcsi_buffer_init(&text, 1 << 26);
    tcsi_arena_init(&arena, 1 << 28);
    FUZZ_REQUIRE(tcsi_figures_write_row(figures, 0, false, &text, &err) == TCS_OK);
    FUZZ_REQUIRE(tcsi_json_parse(text.data, text.size, &arena, &row, &err) == TCS_OK && row->item_count >= 1);
    FUZZ_REQUIRE(tcsi_figures_write_exposition(figures, &text, &err) == TCS_OK);
    for (size_t i = 0; i < figures->count; i++) FUZZ_REQUIRE(isfinite(figures->items[i].value) && figures->items[i].value >= 0);
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&text);
}

static void check_mounts(const char *text, size_t size)
{
    static tcsi_mount mounts[TCSI_MOUNT_COUNT_MAX];
    const size_t count = tcsi_collect_mounts(text, size, mounts);
    FUZZ_REQUIRE(count <= TCSI_MOUNT_COUNT_MAX);
    for (size_t i = 0; i < count; i++)
        FUZZ_REQUIRE(*mounts[i].point && strlen(mounts[i].point) < sizeof mounts[i].point && strlen(mounts[i].device) < sizeof mounts[i].device);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tcsi_figures figures;
    if (size == 0) return 0;
    const tcsi_collect_options options = { .per_core = bytes[0] & 128, .ticks_per_s = 100 };
    const size_t which = bytes[0] & 127;
    const char *text = (const char *)bytes + 1;
    if (which >= TCS_COUNT(parsers)) {
        check_mounts(text, size - 1);
        return 0;
    }
    tcsi_figures_init(&figures);
    for (int tick = 0; tick < 2; tick++) {
        tcsi_figures_begin(&figures, tick);
        const bool found = parsers[which](text, size - 1, &options, &figures);
        FUZZ_REQUIRE(found == (figures.count > 0) || figures.refused_count > 0);
    }
    check_figures(&figures);
    tcsi_figures_deinit(&figures);
    return 0;
}
