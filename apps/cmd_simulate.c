/* apps/cmd_simulate.c -- `tocsin simulate`: labelled data to try things on.  SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "base/status.h"

typedef struct simulate_options {
    const char *output;
    size_t rows, seed;
} simulate_options;

#define AT(field) offsetof(simulate_options, field)
static const cli_option options[] = {
    { "--output", "FILE", CLI_TEXT, AT(output), "CSV; default standard output" },
    { "--rows", "N", CLI_COUNT, AT(rows), "0, the default: what the scenario needs to show its events" },
    { "--seed", "N", CLI_COUNT, AT(seed), "another seed, other data; default 0" },
};

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const simulate_options *o = raw;
    tcs_error err = { 0 };
    tcs_frame *frame = NULL;
    tcs_status status = tcs_simulate(input_count ? inputs[0] : "pump", o->rows, o->seed, &frame, &err);
    if (status == TCS_OK) status = tcs_frame_write(frame, o->output ? o->output : "-", &err);
    if (status == TCS_OK)
        for (size_t i = 0; i < tcs_frame_note_count(frame); i++) fprintf(stderr, "%s\n", tcs_frame_note(frame, i));
    tcs_frame_destroy(frame);
    return status == TCS_OK ? EXIT_DONE : cli_fail("simulate", &err);
}

const cli_command cli_simulate = {
    .name = "simulate",
    .positional = "[SCENARIO]",
    .positional_max = 1,
    .summary = "make labelled data with rare events",
    .description = "Writes a simulated series with labelled rare events. Scenario pump (the default): a small water-pump plant with daily "
                   "demand, coupled sensors, noise, a few missing values and several faults. The same seed gives the same data.",
    .examples = "  tocsin simulate pump --output plant.csv\n  tocsin simulate --rows 100000 --seed 7 | tocsin detect -\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(simulate_options),
    .run = run,
};
