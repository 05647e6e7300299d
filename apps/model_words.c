/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "model_words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SHOWN = 12 }; /* digits of a hash in lists */

static void format_time(int64_t ns, char ret_text[32])
{
    const time_t seconds = (time_t)(ns / 1000000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S UTC", &parts);
}

static const char *role_of(const tcsi_model *model)
{
    return model->is_champion ? "champion" : model->is_challenger ? "challenger" : "";
}

void cli_model_line(const tcsi_model *model)
{
    char time[32];
    format_time(model->created_ns, time);
    printf("%.*s  %-16s %-10s %10zu  %s  %s\n", SHOWN, model->hash, model->name, role_of(model), model->size, time, model->note);
}

void cli_model_write(const tcsi_model *model, tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "hash", model->hash);
    tcsi_json_put_integer(writer, "size", (int64_t)model->size);
    tcsi_json_put_integer(writer, "created_ns", model->created_ns);
    tcsi_json_put_string(writer, "role", role_of(model));
    tcsi_json_key(writer, "card");
    tcsi_json_raw(writer, model->card);
    tcsi_json_end_object(writer);
}

/* ---- values of a card ---- */

static void write_value(const tcsi_json_value *value, char *text, size_t size)
{
    if (!value) snprintf(text, size, "(none)");
    else if (value->type == TCSI_JSON_STRING || value->type == TCSI_JSON_NUMBER) snprintf(text, size, "%s", value->text);
    else if (value->type == TCSI_JSON_ARRAY) snprintf(text, size, "%u item%s", value->item_count, value->item_count == 1 ? "" : "s");
    else snprintf(text, size, "%s", value->type == TCSI_JSON_TRUE ? "true" : value->type == TCSI_JSON_FALSE ? "false" : "null");
}

/* Calls each with every value that is no object, under its path. */
typedef void (*each_value)(void *context, const char *path, const tcsi_json_value *value);

static void walk(const tcsi_json_value *object, const char *before, each_value each, void *context)
{
    for (uint32_t i = 0; i < object->item_count; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s%s%.100s", before, *before ? "." : "", object->items[i].key);
        if (object->items[i].type == TCSI_JSON_OBJECT && strlen(path) < 128) walk(&object->items[i], path, each, context);
        else each(context, path, &object->items[i]);
    }
}

static const tcsi_json_value *find_path(const tcsi_json_value *root, const char *path)
{
    char name[256];
    while (root && *path) {
        const size_t size = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)size, path);
        root = tcsi_json_get(root, name);
        path += size + (path[size] == '.');
    }
    return root;
}

/* ---- what differs ---- */

typedef struct comparing {
    const tcsi_json_value *other;
    bool is_second; /* only what the first has not */
    size_t count;
} comparing;

static void compare(void *context, const char *path, const tcsi_json_value *value)
{
    comparing *c = context;
    const tcsi_json_value *other = find_path(c->other, path);
    char one[200], two[200];
    if (c->is_second && other) return;
    write_value(c->is_second ? other : value, one, sizeof one);
    write_value(c->is_second ? value : other, two, sizeof two);
    if (strcmp(one, two) == 0 || strcmp(path, "signature") == 0) return;
    printf("%-32s %s -> %s\n", path, one, two);
    c->count++;
}

tcs_status cli_model_differences(const tcsi_model *a, const tcsi_model *b, tcs_error *err)
{
    tcsi_arena arena;
    const tcsi_json_value *first, *second;
    tcsi_arena_init(&arena, 0);
    tcs_status status = tcsi_json_parse(a->card, strlen(a->card), &arena, &first, err);
    if (status == TCS_OK) status = tcsi_json_parse(b->card, strlen(b->card), &arena, &second, err);
    if (status == TCS_OK) {
        comparing c = { .other = second };
        walk(first, "", compare, &c);
        c.other = first;
        c.is_second = true;
        walk(second, "", compare, &c);
        if (c.count == 0) printf("nothing differs\n");
    }
    tcsi_arena_deinit(&arena);
    return status;
}

/* ---- the whole page ---- */

static void print_value(void *context, const char *path, const tcsi_json_value *value)
{
    char text[512];
    write_value(value, text, sizeof text);
    fprintf(context, "| %s | %s |\n", path, text);
}

static void print_number(FILE *out, const char *format, double value)
{
    if (isnan(value)) fprintf(out, " |");
    else fprintf(out, format, value);
}

static bool print_evidence(void *context, const tcsi_model_evidence *e)
{
    FILE *out = context;
    fprintf(out, "| %s | %llu |", e->data, (unsigned long long)e->row_count);
    print_number(out, " %.3f", e->labels_true > 0 ? e->auc_roc : NAN);
    if (e->labels_true > 0)
        fprintf(out, " (%.3f to %.3f, %.0f true, %.0f not) |", e->auc_roc_low, e->auc_roc_high, e->labels_true, e->labels_other);
    print_number(out, " %.3f |", e->vus_pr);
    print_number(out, " %.3f |", e->auc_pr);
    print_number(out, " %.3f |", e->f1_event);
    print_number(out, " %.0f |", e->alarms);
    print_number(out, " %.0f |", e->alarms_false);
    print_number(out, " %.2f |", e->alarms_allowed);
    print_number(out, " %.4f |", e->p_low_share);
    print_number(out, " %.0f |\n", e->ns_per_row);
    return true;
}

/* What the catalogue says of the detector it is made of. */
static void print_detector(const tcsi_json_value *card, FILE *out)
{
    const tcsi_json_value *name = find_path(card, "lineage.detector");
    for (size_t i = 0; name && name->type == TCSI_JSON_STRING && i < tcs_detector_count(); i++) {
        const tcs_detector_description d = tcs_detector_describe(i);
        if (strcmp(d.name, name->text) != 0) continue;
        fprintf(out, "\n## What it is\n\n%s: %s%s%s\n", d.title, d.summary, *d.paper ? " Source: " : "", d.paper);
    }
}

tcs_status cli_model_page(tcsi_store *store, const tcsi_model *model, FILE *out, tcs_error *err)
{
    tcsi_arena arena;
    const tcsi_json_value *card;
    char time[32];
    tcsi_arena_init(&arena, 0);
    tcs_status status = tcsi_json_parse(model->card, strlen(model->card), &arena, &card, err);
    if (status == TCS_OK) {
        format_time(model->created_ns, time);
        fprintf(out, "# Model %s\n\n%zu bytes, kept since %s%s%s\n\n## Where it comes from\n\n| | |\n|---|---|\n", model->name,
                model->size, time, *role_of(model) ? ", " : "", role_of(model));
        walk(card, "", print_value, out);
        print_detector(card, out);
        fprintf(out, "\n## What it was measured to do\n\n| rows | count | AUC by answers | VUS-PR | AUC-PR | event F1 | alarms | false | "
                "allowed of chance | p below 0.01 | ns a row |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
        status = tcsi_models_evidence_list(store, model->hash, print_evidence, out, err);
        fprintf(out, "\nWithout a line above nothing is known of what it does: `tocsin model measure`.  An empty cell: the rows had no "
                "labels.\n");
    }
    tcsi_arena_deinit(&arena);
    return status;
}

void cli_model_gates(const tcsi_model_gate *gates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%-6s %-44s %10.4g (champion %.4g, bound %.4g) on %s\n", gates[i].is_passed ? "pass" : "FAIL", gates[i].name,
               gates[i].challenger, gates[i].champion, gates[i].bound, gates[i].data);
}
