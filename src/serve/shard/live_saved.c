/* SPDX-License-Identifier: Apache-2.0 */
/* Part 0 is what the one that applies knew, written by the teller: a directory of many series would keep the journal waiting.  Each cell is
 * a part of its own, written by its worker. */
#include "serve/shard/live_inside.h"

#include <math.h>

static void persist_head(live_head *head, tcsi_directory *directory, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "LIV2");
    tcsi_codec_u64(codec, &head->sequence);
    tcsi_codec_u64(codec, &head->tick_count);
    tcsi_codec_f64(codec, &head->alarms_per_s);
    if (tcsi_codec_loading(codec) && !(head->alarms_per_s > 0 && isfinite(head->alarms_per_s)))
        tcsi_codec_refuse(codec, "a budget out of range");
    tcsi_directory_persist(directory, head->series_count, codec);
}

tcs_status tcsi_live_save_head(tcsi_live *live, tcs_error *err)
{
    live_head head = live->saved;
    tcsi_codec codec = tcsi_codec_save(&live->parts[0], err);
    persist_head(&head, &live->directory, &codec);
    return tcsi_codec_status(&codec);
}

static void load_head(tcsi_live *live, tcsi_codec *codec)
{
    live_head head = { 0 };
    persist_head(&head, &live->directory, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    live->sequence = head.sequence;
    live->tick_count = head.tick_count;
    if (!live->options.is_budget_fixed) live->alarms_per_s = head.alarms_per_s;
}

bool tcsi_live_is_saving(tcsi_live *live)
{
    pthread_mutex_lock(&live->mutex);
    const bool is_saving = live->is_saving;
    pthread_mutex_unlock(&live->mutex);
    return is_saving;
}

tcs_status tcsi_live_save(tcsi_live *live, tcs_error *err)
{
    if (atomic_load(&live->is_stopped)) return tcsi_live_stopped(live, err);
    if (tcsi_live_is_saving(live)) return TCS_OK; /* the last one is still on its way */
    for (size_t i = 0; i <= TCSI_CELL_COUNT; i++) tcsi_buffer_clear(&live->parts[i]);
    const tcs_status status = tcsi_live_stage(live, LIVE_SAVE, live->sequence, 0, err);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < live->worker_count; i++) {
        pthread_mutex_lock(&live->workers[i].mutex);
        live->workers[i].is_saved = false;
        pthread_mutex_unlock(&live->workers[i].mutex);
    }
    pthread_mutex_lock(&live->mutex);
    live->is_saving = true;
    live->saved = (live_head){ live->sequence, live->tick_count, live->alarms_per_s, tcsi_directory_count(&live->directory) };
    pthread_mutex_unlock(&live->mutex);
    tcsi_live_send_staged(live);
    return TCS_OK;
}

/* Directory and cells must speak of the same series. */
static bool is_consistent(const tcsi_live *live)
{
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++)
        if (live->cells[c].series_count != live->directory.cell_counts[c]) return false;
    for (uint32_t i = 0; i < tcsi_directory_count(&live->directory); i++) {
        const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, i);
        if (tcsi_cell_series(&live->cells[entry->cell], entry->place)->number != i) return false;
    }
    return true;
}

tcs_status tcsi_live_load(tcsi_live *live, const tcsi_buffer *parts, size_t part_count, tcs_error *err)
{
    if (part_count != 1 + TCSI_CELL_COUNT)
        return tcsi_fail(err, TCS_E_FORMAT, "a snapshot of %zu parts, expected %d", part_count, 1 + TCSI_CELL_COUNT);
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < part_count; i++) {
        tcsi_codec codec = tcsi_codec_load(parts[i].data, parts[i].size, err);
        if (i == 0) load_head(live, &codec);
        else tcsi_cell_persist(&live->cells[i - 1], &codec);
        if (tcsi_codec_status(&codec) == TCS_OK && codec.in_size) tcsi_codec_refuse(&codec, "bytes behind its end");
        status = tcsi_codec_status(&codec);
    }
    if (status == TCS_OK && !is_consistent(live)) status = tcsi_fail(err, TCS_E_FORMAT, "a snapshot whose parts do not belong together");
    live->second_look = live->cells[0].second_look.options;
    if (status == TCS_OK && live->cells[0].policies.text) status = tcsi_live_take_rules(live, live->cells[0].policies.text, err);
    pthread_mutex_lock(&live->mutex);
    live->told = live->sequence;
    pthread_mutex_unlock(&live->mutex);
    for (size_t i = 0; i < live->worker_count; i++) {
        pthread_mutex_lock(&live->workers[i].mutex);
        live->workers[i].done = live->sequence;
        live->workers[i].stats = tcsi_live_worker_count(&live->workers[i]);
        pthread_mutex_unlock(&live->workers[i].mutex);
    }
    return status;
}
