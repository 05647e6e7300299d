/* serve/models/evidence.c -- what a model was measured to do, and whether that is enough.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/models/models.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Members that evidence has only where people's answers are the labels. */
static const struct {
    const char *name;
    size_t offset;
} answered[] = {
    { "auc_roc", offsetof(tcsi_model_evidence, auc_roc) },
    { "auc_roc_low", offsetof(tcsi_model_evidence, auc_roc_low) },
    { "auc_roc_high", offsetof(tcsi_model_evidence, auc_roc_high) },
    { "auc_gain_low", offsetof(tcsi_model_evidence, auc_gain_low) },
    { "labels_true", offsetof(tcsi_model_evidence, labels_true) },
    { "labels_other", offsetof(tcsi_model_evidence, labels_other) },
};

static double *member_of(const tcsi_model_evidence *evidence, size_t offset)
{
    return (double *)(void *)((char *)(uintptr_t)evidence + offset);
}

void tcsi_models_evidence_write(const tcsi_model_evidence *evidence, tcsi_json_writer *writer)
{
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "data", evidence->data);
    tcsi_json_put_integer(writer, "rows", (int64_t)evidence->row_count);
    tcsi_json_put_integer(writer, "measured_ns", evidence->measured_ns);
    tcsi_json_put_number(writer, "vus_pr", evidence->vus_pr);
    tcsi_json_put_number(writer, "auc_pr", evidence->auc_pr);
    tcsi_json_put_number(writer, "f1_event", evidence->f1_event);
    tcsi_json_put_number(writer, "alarms", evidence->alarms);
    tcsi_json_put_number(writer, "alarms_false", evidence->alarms_false);
    tcsi_json_put_number(writer, "alarms_allowed", evidence->alarms_allowed);
    tcsi_json_put_number(writer, "p_low_share", evidence->p_low_share);
    tcsi_json_put_number(writer, "ns_per_row", evidence->ns_per_row);
    for (size_t i = 0; i < TCS_COUNT(answered); i++)
        if (evidence->labels_true > 0) tcsi_json_put_number(writer, answered[i].name, *member_of(evidence, answered[i].offset));
    tcsi_json_end_object(writer);
}

static double get_number(const tcsi_json_value *object, const char *key)
{
    return tcsi_json_number_of(object, key, NAN);
}

static bool read_evidence(const char *text, tcsi_arena *arena, tcsi_model_evidence *ret_evidence)
{
    const tcsi_json_value *root;
    tcs_error ignored;
    if (tcsi_json_parse(text, strlen(text), arena, &root, &ignored) != TCS_OK) return false;
    const tcsi_json_value *data = tcsi_json_get(root, "data");
    const double row_count = get_number(root, "rows"), measured_ns = get_number(root, "measured_ns");
    if (!data || data->type != TCSI_JSON_STRING || !(row_count >= 0 && row_count < 1e18) || !(fabs(measured_ns) < 9e18)) return false;
    *ret_evidence = (tcsi_model_evidence){ .data = data->text, .row_count = (uint64_t)row_count, .measured_ns = (int64_t)measured_ns,
                                           .vus_pr = get_number(root, "vus_pr"), .auc_pr = get_number(root, "auc_pr"),
                                           .f1_event = get_number(root, "f1_event"), .alarms = get_number(root, "alarms"),
                                           .alarms_false = get_number(root, "alarms_false"),
                                           .alarms_allowed = get_number(root, "alarms_allowed"),
                                           .p_low_share = get_number(root, "p_low_share"), .ns_per_row = get_number(root, "ns_per_row") };
    for (size_t i = 0; i < TCS_COUNT(answered); i++) *member_of(ret_evidence, answered[i].offset) = get_number(root, answered[i].name);
    return true;
}

static tcs_status write_id(const char *hash, const char *data, tcsi_buffer *out, tcs_error *err)
{
    return tcsi_buffer_printf(out, err, "%s %s", hash, data);
}

tcs_status tcsi_models_evidence_put(tcsi_store *store, const char *hash, const tcsi_model_evidence *evidence, tcs_error *err)
{
    tcsi_buffer id, document;
    tcsi_json_writer writer;
    tcsi_buffer_init(&id, 1 << 16);
    tcsi_buffer_init(&document, 1 << 16);
    tcsi_json_writer_init(&writer, &document, false);
    tcsi_models_evidence_write(evidence, &writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) status = write_id(hash, evidence->data, &id, err);
    if (status == TCS_OK) {
        const tcsi_store_record record = { .kind = TCSI_STORE_EVIDENCE, .id = id.data, .begin_ns = evidence->measured_ns,
                                           .end_ns = evidence->measured_ns, .updated_ns = evidence->measured_ns,
                                           .document = document.data };
        status = tcsi_store_record_put(store, &record, err);
    }
    tcsi_buffer_deinit(&document);
    tcsi_buffer_deinit(&id);
    return status;
}

typedef struct evidence_listing {
    const char *hash;
    tcsi_model_evidence_each each;
    void *context;
} evidence_listing;

static bool give_evidence(void *context, const tcsi_store_record *record)
{
    const evidence_listing *l = context;
    const size_t size = strlen(l->hash);
    tcsi_model_evidence evidence;
    tcsi_arena arena;
    bool goes_on = true;
    if (strncmp(record->id, l->hash, size) != 0 || record->id[size] != ' ') return true;
    tcsi_arena_init(&arena, 1 << 24);
    if (read_evidence(record->document, &arena, &evidence)) goes_on = l->each(l->context, &evidence);
    tcsi_arena_deinit(&arena);
    return goes_on;
}

tcs_status tcsi_models_evidence_list(tcsi_store *store, const char *hash, tcsi_model_evidence_each each, void *context, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EVIDENCE };
    evidence_listing l = { hash, each, context };
    return tcsi_store_record_list(store, &query, give_evidence, &l, err);
}

/* ---- gates ---- */

size_t tcsi_models_gates(const tcsi_model_evidence *challenger, const tcsi_model_evidence *champion,
                         tcsi_model_gate ret_gates[TCSI_MODEL_GATES_MAX])
{
    /* Two deviations of a count with that mean, and one: what chance alone may do. */
    const double allowed = challenger->alarms_allowed, chance = allowed + 2 * sqrt(allowed) + 1;
    const double alarms = isnan(challenger->alarms_false) ? challenger->alarms : challenger->alarms_false;
    size_t count = 0;
    if (champion && !isnan(champion->vus_pr) && !isnan(challenger->vus_pr))
        ret_gates[count++] = (tcsi_model_gate){ "ranks at least as well (VUS-PR)", challenger->data, challenger->vus_pr >= champion->vus_pr,
                                                challenger->vus_pr, champion->vus_pr, champion->vus_pr };
    if (!isnan(challenger->auc_gain_low) && challenger->labels_true > 0)
        ret_gates[count++] = (tcsi_model_gate){ "tells true from false better (AUC beyond chance)", challenger->data,
                                                challenger->auc_gain_low > 0, challenger->auc_roc, champion ? champion->auc_roc : NAN,
                                                challenger->auc_roc - challenger->auc_gain_low };
    ret_gates[count++] = (tcsi_model_gate){ "keeps the alarm budget", challenger->data, alarms <= chance, alarms,
                                            champion ? champion->alarms : NAN, chance };
    ret_gates[count++] = (tcsi_model_gate){ "states honest p-values (share below 0.01)", challenger->data, challenger->p_low_share <= 0.02,
                                            challenger->p_low_share, champion ? champion->p_low_share : NAN, 0.02 };
    if (champion && !isnan(champion->ns_per_row) && !isnan(challenger->ns_per_row))
        ret_gates[count++] = (tcsi_model_gate){ "is not much slower (ns a row)", challenger->data,
                                                challenger->ns_per_row <= 1.5 * champion->ns_per_row, challenger->ns_per_row,
                                                champion->ns_per_row, 1.5 * champion->ns_per_row };
    return count;
}
