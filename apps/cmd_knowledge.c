/* apps/cmd_knowledge.c -- `tocsin knowledge check`: is a knowledge file right, and what does it say?
 * SPDX-License-Identifier: Apache-2.0 */
#include "asked.h"
#include "cli.h"
#include "known.h"

#include <string.h>

typedef struct knowledge_options {
    cli_reading reading;
} knowledge_options;

#define AT(field) offsetof(knowledge_options, field)
static const cli_option options[] = {
    CLI_COLUMN_OPTIONS(AT(reading)),
    CLI_READING_OPTIONS(AT(reading), "label column; found when not given; '' for none"),
};

static tcs_status check_input(const knowledge_options *o, const tcs_knowledge *knowledge, const char *input, tcs_error *err)
{
    const tcs_read_options read = cli_read_options(&o->reading);
    tcs_frame *frame = NULL;
    tcs_status status = tcs_frame_read(input, &read, &frame, err);
    if (status == TCS_OK) status = tcs_knowledge_check(knowledge, frame, cli_known_problem, NULL, err);
    tcs_frame_destroy(frame);
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    tcs_error err = { 0 };
    tcs_knowledge *knowledge = NULL;
    tcs_status status = TCS_OK;
    if (strcmp(inputs[0], "check") != 0)
        status = tcsi_fail(&err, TCS_E_INVALID, "'%s': expected check FILE.yaml [INPUT]; try `tocsin knowledge --help`", inputs[0]);
    if (status == TCS_OK) status = tcs_knowledge_read(inputs[1], cli_known_problem, NULL, &knowledge, &err);
    if (status == TCS_OK && input_count > 2) status = check_input(raw, knowledge, inputs[2], &err);
    if (status == TCS_OK) printf("%s", tcs_knowledge_words(knowledge));
    tcs_knowledge_destroy(knowledge);
    return status == TCS_OK ? EXIT_DONE : cli_fail("knowledge", &err);
}

const cli_command cli_knowledge = {
    .name = "knowledge",
    .positional = "check FILE.yaml [INPUT]",
    .positional_min = 2,
    .positional_max = 3,
    .summary = "check a file that states what you know of your data",
    .description = "Reads FILE.yaml as --knowledge of `tocsin detect` and `tocsin fit` does, and says in words what it understood; with "
                   "INPUT (as in `tocsin detect`) also whether the two fit together. Everything that is wrong is told at once, each with "
                   "file and line. The form of the file: docs/reference/knowledge.md.",
    .examples = "  tocsin knowledge check pump.yaml\n"
                "  tocsin knowledge check pump.yaml plant.csv && tocsin detect plant.csv --knowledge pump.yaml\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(knowledge_options),
    .run = run,
};
