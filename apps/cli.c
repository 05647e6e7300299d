/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- parsing ---- */

typedef struct parse {
    const cli_command *command;
    char *options;
    const char *inputs[CLI_INPUT_COUNT_MAX];
    size_t input_count;
} parse;

static int usage_error(const cli_command *command, const char *text)
{
    fprintf(stderr, "tocsin %s: %s\nTry `tocsin %s --help`.\n", command->name, text, command->name);
    return EXIT_USAGE;
}

static const cli_option *find_option(const cli_command *command, const char *name, size_t length)
{
    for (size_t i = 0; i < command->option_count; i++) {
        const cli_option *option = &command->options[i];
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0) return option;
        if (option->letter && length == 2 && name[1] == option->letter) return option;
    }
    return NULL;
}

static int unknown_option(const cli_command *command, const char *given)
{
    const char *names[64];
    char text[256], name[64];
    size_t count = command->option_count < 64 ? command->option_count : 64, length = strcspn(given, "=");
    snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), given);
    for (size_t i = 0; i < count; i++) names[i] = command->options[i].name;
    const char *nearest = tcsi_text_nearest(name, names, count);
    snprintf(text, sizeof text, "no option '%s'%s%s%s", name, nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    return usage_error(command, text);
}

/* Is value one of the words of "offline|online"?  A form such as N or "N[/hour|/day]" allows anything: who reads it checks it. */
static bool is_allowed(const char *argument, const char *value)
{
    size_t length = strlen(value);
    if (!strchr(argument, '|') || strchr(argument, '[')) return true;
    for (const char *word = argument; word; word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL)
        if (strcspn(word, "|") == length && strncmp(word, value, length) == 0) return true;
    return false;
}

const char *cli_range(const cli_option *option, char ret_text[CLI_RANGE_SIZE])
{
    const bool has_range = option->low < option->high;
    ret_text[0] = 0;
    if (has_range) snprintf(ret_text, CLI_RANGE_SIZE, "; %.10g to %.10g", option->low, option->high);
    return ret_text;
}

static bool is_within(const cli_option *option, double number)
{
    return !(option->low < option->high) || (number >= option->low && number <= option->high);
}

static int store(parse *p, const cli_option *option, const char *value)
{
    char text[512], range[CLI_RANGE_SIZE], *end;
    void *at = p->options + option->offset;
    if (!is_allowed(option->argument, value)) {
        snprintf(text, sizeof text, "%s %s: expected %s", option->name, value, option->argument);
        return usage_error(p->command, text);
    }
    errno = 0;
    switch (option->kind) {
    case CLI_FLAG: break;
    case CLI_TEXT: *(const char **)at = value; return EXIT_DONE;
    case CLI_TEXTS: {
        cli_texts *texts = at;
        if (texts->count == CLI_TEXTS_MAX) return usage_error(p->command, "an option is given too many times");
        texts->items[texts->count++] = value;
        return EXIT_DONE;
    }
    case CLI_COUNT: {
        unsigned long long number = strtoull(value, &end, 10);
        if (*value >= '0' && *value <= '9' && *end == 0 && errno == 0 && is_within(option, (double)number)) {
            *(size_t *)at = (size_t)number;
            return EXIT_DONE;
        }
        break;
    }
    case CLI_REAL: {
        double number = strtod(value, &end);
        if (end != value && *end == 0 && isfinite(number) && is_within(option, number)) {
            *(double *)at = number;
            return EXIT_DONE;
        }
        break;
    }
    }
    snprintf(text, sizeof text, "%s %s: expected a %snumber%s%s", option->name, value, option->kind == CLI_COUNT ? "whole " : "",
             option->low < option->high ? " from " : "", option->low < option->high ? cli_range(option, range) + strlen("; ") : "");
    return usage_error(p->command, text);
}

/* One --option, with its value from "=value" or the next argument; *index moves on. */
static int parse_option(parse *p, int argc, char **argv, int *index)
{
    const char *given = argv[*index];
    size_t length = strcspn(given, "=");
    char text[256];
    const cli_option *option = find_option(p->command, given, length);
    if (!option) return unknown_option(p->command, given);
    if (option->kind == CLI_FLAG) {
        if (given[length]) {
            snprintf(text, sizeof text, "%s takes no value", option->name);
            return usage_error(p->command, text);
        }
        *(bool *)(p->options + option->offset) = true;
        return EXIT_DONE;
    }
    const char *value = given[length] ? given + length + 1 : *index + 1 < argc ? argv[++*index] : NULL;
    if (!value) {
        snprintf(text, sizeof text, "%s needs a value: %s", option->name, option->argument);
        return usage_error(p->command, text);
    }
    return store(p, option, value);
}

static int run_command(const cli_command *command, int argc, char **argv)
{
    parse p = { .command = command };
    union { max_align_t align; char bytes[4096]; } options = { 0 };
    if (command->options_size > sizeof options) return EXIT_FAILED;
    p.options = options.bytes;
    bool only_inputs = false;
    for (int i = 0; i < argc; i++) {
        if (!only_inputs && strcmp(argv[i], "--") == 0) {
            only_inputs = true;
        } else if (!only_inputs && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            cli_help(command, stdout);
            return EXIT_DONE;
        } else if (!only_inputs && argv[i][0] == '-' && argv[i][1]) {
            int status = parse_option(&p, argc, argv, &i);
            if (status != EXIT_DONE) return status;
        } else {
            if (p.input_count < sizeof p.inputs / sizeof *p.inputs) p.inputs[p.input_count] = argv[i];
            p.input_count++;
        }
    }
    if (p.input_count < command->positional_min || p.input_count > command->positional_max) {
        char text[256];
        bool many = p.input_count > command->positional_max && command->positional_max > 1;
        if (many) snprintf(text, sizeof text, "%zu inputs, at most %zu at a time", p.input_count, command->positional_max);
        else snprintf(text, sizeof text, "expected %s", command->positional_max ? command->positional : "no input");
        return usage_error(command, text);
    }
    return command->run(options.bytes, p.inputs, p.input_count);
}

/* ---- help ---- */

static void overview(FILE *stream)
{
    fprintf(stream, "tocsin finds rare but important events in data it has never seen.\n\nusage: tocsin COMMAND ...\n\n");
    for (size_t i = 0; cli_commands[i]; i++) fprintf(stream, "  %-10s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fprintf(stream, "  %-10s %s\n\n", "version", "print the version");
    fprintf(stream, "`tocsin COMMAND --help` explains one.  To begin:\n\n    tocsin detect data.csv\n");
}

/* Text in lines of at most 78 columns, each after indent blanks. */
static void wrap(FILE *stream, const char *text, size_t indent)
{
    size_t column = indent;
    for (const char *word = text; *word;) {
        size_t length = strcspn(word, " \n");
        if (column > indent && column + 1 + length > 78) {
            fprintf(stream, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', stream);
            column++;
        }
        fwrite(word, 1, length, stream);
        column += length;
        word += length;
        if (*word == '\n') {
            fprintf(stream, "\n%*s", word[1] == '\n' ? 0 : (int)indent, "");
            column = indent;
        }
        if (*word) word++;
    }
    fputc('\n', stream);
}

void cli_help(const cli_command *command, FILE *stream)
{
    fprintf(stream, "usage: tocsin %s [OPTION...] %s\n\n", command->name, command->positional);
    wrap(stream, command->description, 0);
    fprintf(stream, "\noptions:\n");
    for (size_t i = 0; i < command->option_count; i++) {
        const cli_option *option = &command->options[i];
        const char letter[] = { '-', option->letter, ',', ' ', 0 };
        int used = fprintf(stream, "  %s%s%s%s", option->letter ? letter : "", option->name, option->argument ? " " : "",
                           option->argument ? option->argument : "");
        if (used > 27) fprintf(stream, "\n%29s", "");
        else fprintf(stream, "%*s", 29 - used, "");
        char text[1024], range[CLI_RANGE_SIZE];
        snprintf(text, sizeof text, "%s%s", option->help, cli_range(option, range));
        wrap(stream, text, 29);
    }
    fprintf(stream, "  %-27s%s\n\nexamples:\n%s", "--help", "this text", command->examples);
}

int cli_fail(const char *command, const tcs_error *err)
{
    fflush(stdout);
    fprintf(stderr, "tocsin %s: %s\n", command, err->text);
    return err->status == TCS_E_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

static int dispatch(int argc, char **argv)
{
    const char *names[32];
    size_t count = 0;
    if (argc < 2) {
        overview(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        if (argc > 2 && argv[2][0] != '-')
            for (size_t i = 0; cli_commands[i]; i++)
                if (strcmp(argv[2], cli_commands[i]->name) == 0) {
                    cli_help(cli_commands[i], stdout);
                    return EXIT_DONE;
                }
        overview(stdout);
        return EXIT_DONE;
    }
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
        printf("tocsin %s\n", tcs_version());
        return EXIT_DONE;
    }
    if (strcmp(name, "generate") == 0 && argc == 3) return cli_generate(argv[2]);
    for (size_t i = 0; cli_commands[i]; i++) {
        if (strcmp(name, cli_commands[i]->name) == 0) return run_command(cli_commands[i], argc - 2, argv + 2);
        names[count++] = cli_commands[i]->name;
    }
    const char *nearest = tcsi_text_nearest(name, names, count);
    fprintf(stderr, "tocsin: no command '%s'%s%s%s\nTry `tocsin --help`.\n", name, nearest ? "; did you mean " : "",
            nearest ? nearest : "", nearest ? "?" : "");
    return EXIT_USAGE;
}

int cli_dispatch(int argc, char **argv)
{
    int status = dispatch(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    if (status == EXIT_DONE || status == EXIT_ANOMALY) fprintf(stderr, "tocsin %s: standard output cannot be written\n", argv[1]);
    return status == EXIT_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

/* ---- the terminal ---- */

bool cli_has_color(FILE *stream)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    return isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
}

size_t cli_columns(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) return size.ws_col;
    return 100;
}

const char *cli_bar(double share)
{
    static const char *const bars[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
    if (isnan(share)) return " ";
    return bars[share <= 0 ? 0 : share >= 1 ? 7 : (int)(8 * share)];
}

void cli_sparkline(const double *values, size_t value_count, size_t cell_count, char *ret_text, size_t size)
{
    double low = INFINITY, high = -INFINITY;
    size_t used = 0;
    if (cell_count > value_count) cell_count = value_count;
    for (size_t i = 0; i < value_count; i++)
        if (isfinite(values[i])) {
            low = fmin(low, values[i]);
            high = fmax(high, values[i]);
        }
    for (size_t cell = 0; cell < cell_count && used + 4 < size; cell++) {
        size_t begin = cell * value_count / cell_count, end = (cell + 1) * value_count / cell_count;
        double extreme = NAN, middle = 0.5 * low + 0.5 * high;
        for (size_t i = begin; i < end; i++)
            if (isfinite(values[i]) && (isnan(extreme) || fabs(values[i] - middle) > fabs(extreme - middle))) extreme = values[i];
        double share = high > low ? (extreme - low) / (high - low) : isnan(extreme) ? NAN : 0;
        used += (size_t)snprintf(ret_text + used, size - used, "%s", cli_bar(share));
    }
    if (size > 0) ret_text[used < size ? used : size - 1] = 0;
}
