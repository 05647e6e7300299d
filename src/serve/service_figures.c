/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/service_figures.h"

#include "base/alloc.h"

enum { SERIES, WAITING, SCORED, UNUSUAL, SUPPRESSED, GUARDED, SYNCS, FAILURES, SNAPSHOTS, KEPT, MERGED, DROPPED, BLOCKS, BLOCK_BYTES, STEP,
       LEADER, TAKEOVERS, SAMPLES, EPISODES, METRIC_COUNT };
enum { ASKED_MAX = SAMPLES + TCSI_OUTCOME_COUNT + TCSI_LIVE_KIND_COUNT * TCSI_LIVE_STATE_COUNT };

/* A figure that is asked when somebody reads. */
typedef struct asked {
    const tcsi_service_parts *parts;
    int what, first, second;
} asked;

struct tcsi_service_figures {
    tcsi_service_parts parts;
    tcsi_metrics *metrics;
    asked asked[ASKED_MAX];
    size_t asked_count;
};

static const tcsi_metric_row metric_rows[METRIC_COUNT] = {
    [SERIES] = { .name = "tocsin_live_series", .kind = TCSI_METRIC_GAUGE, .help = "Series that are live." },
    [WAITING] = { .name = "tocsin_live_rows_waiting", .kind = TCSI_METRIC_GAUGE, .help = "Rows accepted and not judged yet." },
    [SCORED] = { .name = "tocsin_live_rows_scored_total", .kind = TCSI_METRIC_COUNTER, .help = "Rows that the fast layer scored." },
    [UNUSUAL] = { .name = "tocsin_live_rows_unusual_total", .kind = TCSI_METRIC_COUNTER, .help = "Rows out of the ordinary." },
    [SUPPRESSED] = { .name = "tocsin_episodes_suppressed_total", .kind = TCSI_METRIC_COUNTER,
                     .help = "Episodes kept quiet because of an answer to one like them." },
    [GUARDED] = { .name = "tocsin_episodes_guarded_total", .kind = TCSI_METRIC_COUNTER,
                  .help = "Times that an answer would have kept an episode quiet and a guard was against it." },
    [SYNCS] = { .name = "tocsin_journal_syncs_total", .kind = TCSI_METRIC_COUNTER, .help = "Times that the journal was synced to disk." },
    [FAILURES] = { .name = "tocsin_journal_failures_total", .kind = TCSI_METRIC_COUNTER,
                   .help = "Times that the disk failed the journal." },
    [SNAPSHOTS] = { .name = "tocsin_snapshots_total", .kind = TCSI_METRIC_COUNTER, .help = "Snapshots of the state that were kept." },
    [LEADER] = { .name = "tocsin_leader", .kind = TCSI_METRIC_GAUGE, .help = "1: rows are taken here; 0: this process stands by." },
    [TAKEOVERS] = { .name = "tocsin_takeovers_total", .kind = TCSI_METRIC_COUNTER, .help = "Times that this process began to lead." },
    [KEPT] = { .name = "tocsin_history_rows_total", .kind = TCSI_METRIC_COUNTER, .help = "Rows that were judged, for history." },
    [MERGED] = { .name = "tocsin_history_rows_merged_total", .kind = TCSI_METRIC_COUNTER,
                 .help = "Of them, rows merged into another one of the same step." },
    [DROPPED] = { .name = "tocsin_history_rows_dropped_total", .kind = TCSI_METRIC_COUNTER,
                  .help = "Rows of history that were not kept: the store was too slow or failed, or there was no memory." },
    [BLOCKS] = { .name = "tocsin_history_blocks_total", .kind = TCSI_METRIC_COUNTER,
                 .help = "Blocks of rows that were put into the store." },
    [BLOCK_BYTES] = { .name = "tocsin_history_bytes_total", .kind = TCSI_METRIC_COUNTER, .unit = "bytes",
                      .help = "Bytes of these blocks." },
    [STEP] = { .name = "tocsin_history_step_seconds", .kind = TCSI_METRIC_GAUGE, .unit = "seconds",
               .help = "Rows of a series within so long are merged; 0: each is kept." },
    [SAMPLES] = { .name = "tocsin_samples_total", .kind = TCSI_METRIC_COUNTER, .help = "Samples by what became of them.",
                  .labels = { "outcome" } },
    [EPISODES] = { .name = "tocsin_episodes_total", .kind = TCSI_METRIC_COUNTER, .help = "Steps of episodes that were told.",
                   .labels = { "kind", "state" } },
};

static tcsi_chronicle_stats history_stat(const tcsi_service_parts *s)
{
    return s->history ? tcsi_chronicle_stat(s->history) : (tcsi_chronicle_stats){ 0 };
}

static double answer(void *context)
{
    const asked *a = context;
    const tcsi_service_parts *s = a->parts;
    switch (a->what) {
    case SERIES: return (double)tcsi_live_stat(s->live).series_count;
    case WAITING: return (double)tcsi_live_stat(s->live).waiting_row_count;
    case SCORED: return (double)tcsi_live_stat(s->live).row_count;
    case UNUSUAL: return (double)tcsi_live_stat(s->live).unusual_count;
    case SUPPRESSED: return (double)tcsi_live_stat(s->live).suppressed_count;
    case GUARDED: return (double)tcsi_live_stat(s->live).guarded_count;
    case SYNCS: return (double)tcsi_journal_stat(tcsi_intake_journal(s->intake)).sync_count;
    case FAILURES: return (double)tcsi_journal_stat(tcsi_intake_journal(s->intake)).failure_count;
    case SNAPSHOTS: return (double)tcsi_keeper_snapshot_count(s->keeper);
    case LEADER: return tcsi_standby_leads(s->standby);
    case TAKEOVERS: return (double)tcsi_standby_takeover_count(s->standby);
    case KEPT: return (double)tcsi_live_stat(s->live).reeled_count;
    case MERGED: return (double)tcsi_live_stat(s->live).merged_count;
    case DROPPED: return (double)(tcsi_live_stat(s->live).unreeled_count + history_stat(s).dropped_count);
    case BLOCKS: return (double)history_stat(s).block_count;
    case BLOCK_BYTES: return (double)history_stat(s).byte_count;
    case STEP: return (double)tcsi_live_stat(s->live).step_ns * 1e-9;
    case SAMPLES: return (double)(tcsi_live_stat(s->live).outcomes[a->first] + tcsi_intake_stat(s->intake).outcomes[a->first]);
    default: return (double)tcsi_keeper_count(s->keeper, (tcsi_live_kind)a->first, (tcsi_live_state)a->second);
    }
}

static void bind_figure(tcsi_service_figures *s, size_t row, const char *const *labels, int what, int first, int second)
{
    TCS_ASSERT(s->asked_count < ASKED_MAX);
    asked *kept = &s->asked[s->asked_count++];
    *kept = (asked){ &s->parts, what, first, second };
    tcsi_metric_bind(tcsi_metrics_get(s->metrics, row, labels), answer, kept);
}

static tcs_status bind_figures(tcsi_service_figures *s, tcs_error *err)
{
    size_t begin;
    const tcs_status status = tcsi_metrics_add(s->metrics, metric_rows, METRIC_COUNT, &begin, err);
    if (status != TCS_OK) return status;
    for (int i = 0; i < SAMPLES; i++) bind_figure(s, begin + (size_t)i, NULL, i, 0, 0);
    for (int i = 0; i < TCSI_OUTCOME_COUNT; i++) {
        const char *const labels[] = { tcsi_outcome_name((tcsi_outcome)i) };
        bind_figure(s, begin + SAMPLES, labels, SAMPLES, i, 0);
    }
    for (int k = 0; k < TCSI_LIVE_KIND_COUNT; k++)
        for (int i = 0; i < TCSI_LIVE_STATE_COUNT; i++) {
            const char *const labels[] = { tcsi_live_kind_names[k], tcsi_live_state_names[i] };
            bind_figure(s, begin + EPISODES, labels, EPISODES, k, i);
        }
    return TCS_OK;
}

tcs_status tcsi_service_figures_create(const tcsi_service_parts *parts, tcsi_metrics *metrics, tcsi_service_figures **ret_figures,
                                       tcs_error *err)
{
    tcsi_service_figures *figures = TCSI_NEW(tcsi_service_figures);
    if (!figures) return tcsi_fail_memory(err, "figures");
    figures->parts = *parts;
    figures->metrics = metrics;
    const tcs_status status = bind_figures(figures, err);
    if (status == TCS_OK) *ret_figures = figures;
    else tcsi_service_figures_destroy(figures);
    return status;
}

void tcsi_service_figures_destroy(tcsi_service_figures *figures) { tcsi_free(figures); }
