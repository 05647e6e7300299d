/* pipeline/stream.c -- rows as they come: detector, decision, episode, one row at a time.
 *
 * Two phases.  Until there are enough training rows they are kept in a frame and nothing comes out; the fit makes the detector
 * and the policy final, and the kept rows are then given out first, from the frame, which is released with its last row.
 * From then on there is room for one row: it goes in by push and comes out, judged, by next.  SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/stream.h"

#include "base/alloc.h"
#include "detect/per_channel.h"
#include "detect/registry.h"
#include "pipeline/known.h"
#include "pipeline/recent.h"

#include <string.h>

struct tcsi_detect_stream {
    tcsi_detect_options options;  /* what it points to is not looked at after create */
    const tcsi_detector_info *info;
    tcsi_pool *pool;
    tcsi_detector *detector;
    tcsi_policy policy;           /* zeroed until is_ready */
    size_t channel_count, train_row_count;
    bool is_ready;                /* fitted: outcomes may be given */
    bool is_over, has_row;        /* has_row: `row` waits to be judged */
    tcsi_frame *kept;             /* training rows not given out yet; NULL: none */
    size_t kept_next;
    tcsi_row row;
    uint8_t label;
    double *values, *parts, *part_sums; /* (C) each: the row, contributions of the row and of the episode */
    uint64_t pushed_count, given_count, episode_count;
    uint64_t row_base;            /* rows before those that are counted from 0: the ones seen before it was saved */
    tcsi_training training;
    tcsi_stream_episode episode;  /* times and shares; the rest is the policy's */
    tcsi_bound *bound;            /* what people know; NULL: nothing.  channel_count counts what it adds */
    tcsi_constraints *constraints; /* of bound; NULL: none, or of a stream that was loaded */
    tcsi_bound_row known;         /* of `row` */
    tcsi_bound_row *kept_known;   /* (train_row_count) of the rows kept */
    tcsi_votes votes;
    tcsi_stream_episode expected; /* times; the rest is the policy's */
    uint64_t expected_count;
    tcsi_recent *recent;          /* the last rows; NULL: they are forgotten */
};

/* ---- life ---- */

static tcs_status allocate(tcsi_detect_stream *stream, tcs_error *err)
{
    size_t n = stream->channel_count;
    stream->values = TCSI_NEW_ZEROS(double, n);
    stream->parts = TCSI_NEW_ZEROS(double, n);
    stream->part_sums = TCSI_NEW_ZEROS(double, n);
    return stream->values && stream->parts && stream->part_sums ? TCS_OK : tcsi_fail_memory(err, "a stream");
}

/* The detector is fitted, or has nothing to fit: from here on rows are judged. */
static tcs_status begin_judging(tcsi_detect_stream *stream, tcs_error *err)
{
    const tcsi_detector *detector = stream->detector;
    tcsi_policy_options policy = { .mode = TCS_MODE_ONLINE, .budget = stream->options.budget,
                                   .own_threshold = tcsi_detector_threshold(detector),
                                   .own_by_evidence = stream->info->traits & TCSI_TRAIT_EVIDENCE,
                                   .train_row_count = stream->train_row_count, .use_train = true,
                                   .merge_count = tcsi_detector_horizon(detector) };
    tcsi_detector_reset(stream->detector);
    tcs_status status = tcsi_policy_init(&stream->policy, &policy, err);
    stream->is_ready = status == TCS_OK;
    return status;
}

static tcs_status begin_knowing(tcsi_detect_stream *stream, const tcsi_detect_options *options, tcs_error *err)
{
    TCS_ASSERT(options->channel_names);
    tcs_status status = tcsi_known_bind(options->knowledge, options->channel_names, stream->channel_count, options->has_times,
                                        &stream->bound, err);
    if (status != TCS_OK) return status;
    stream->channel_count = stream->bound->out_count;
    status = tcsi_known_constraints_create(stream->bound, &stream->constraints, err);
    if (status != TCS_OK) return status;
    return options->knowledge->rule_count > 0 ? tcsi_votes_init(&stream->votes, options->knowledge, err) : TCS_OK;
}

static tcs_status keep_training_rows(tcsi_detect_stream *stream, tcs_error *err)
{
    if (stream->train_row_count == 0) stream->train_row_count = TCSI_STREAM_TRAIN_ROWS;
    if (stream->bound && !(stream->kept_known = TCSI_NEW_ZEROS(tcsi_bound_row, stream->train_row_count)))
        return tcsi_fail_memory(err, "training rows");
    return tcsi_frame_create(stream->channel_count, 0, true, true, &stream->kept, err);
}

tcs_status tcsi_detect_stream_create(size_t channel_count, const tcsi_detect_options *options, tcsi_detect_stream **ret_stream,
                                     tcs_error *err)
{
    tcsi_detect_stream *stream = TCSI_NEW(tcsi_detect_stream);
    if (!stream) return tcsi_fail_memory(err, "a stream");
    stream->options = *options;
    stream->options.mode = TCS_MODE_ONLINE;
    stream->channel_count = channel_count;
    tcs_status status = channel_count > 0 ? TCS_OK : tcsi_fail(err, TCS_E_INVALID, "no numeric column to look at");
    if (status == TCS_OK) status = tcsi_detect_choose(&stream->options, &stream->info, err);
    if (status == TCS_OK && options->knowledge) status = begin_knowing(stream, options, err);
    stream->train_row_count = options->train_row_count;
    if (status == TCS_OK) status = allocate(stream, err);
    if (status == TCS_OK && stream->info->ops->fit) status = keep_training_rows(stream, err);
    if (status == TCS_OK && options->thread_count != 1) status = tcsi_pool_create(options->thread_count, &stream->pool, err);
    stream->training.checkpoint = options->checkpoint;
    const tcsi_detector_setup setup = { .channel_count = stream->channel_count, .pool = stream->pool, .training = &stream->training,
                                        .constraints = stream->constraints };
    if (status == TCS_OK) status = tcsi_detect_prepare(&stream->options, stream->info, &setup, &stream->detector, err);
    if (status == TCS_OK && !stream->kept) status = begin_judging(stream, err);
    if (status == TCS_OK) *ret_stream = stream;
    else tcsi_detect_stream_destroy(stream);
    return status;
}

void tcsi_detect_stream_destroy(tcsi_detect_stream *stream)
{
    if (!stream) return;
    tcsi_policy_deinit(&stream->policy);
    tcsi_detector_destroy(stream->detector);
    tcsi_pool_destroy(stream->pool);
    tcsi_frame_destroy(stream->kept);
    tcsi_known_constraints_destroy(stream->constraints);
    tcsi_bound_destroy(stream->bound);
    tcsi_votes_deinit(&stream->votes);
    tcsi_recent_destroy(stream->recent);
    tcsi_free(stream->kept_known);
    tcsi_free(stream->values);
    tcsi_free(stream->parts);
    tcsi_free(stream->part_sums);
    tcsi_free(stream);
}

static size_t member_max(const tcsi_detect_stream *stream)
{
    return stream->info->ops->members ? TCSI_MEMBER_COUNT_MAX : 0;
}

tcs_status tcsi_detect_stream_remember(tcsi_detect_stream *stream, const char *const *names, bool has_times, tcs_error *err)
{
    const tcsi_bound *bound = stream->bound;
    const tcsi_policy_kind kind = stream->is_ready ? stream->policy.options.budget.kind : stream->options.budget.kind;
    const tcsi_recent_options options = { .channel_count = stream->channel_count, .has_times = has_times,
                                          .names = bound ? (const char *const *)bound->names : names,
                                          .units = bound ? (const char *const *)bound->units : NULL,
                                          .adds_up = kind == TCSI_POLICY_EVIDENCE, .member_max = member_max(stream) };
    if (stream->pushed_count > stream->row_base || stream->recent)
        return tcsi_fail(err, TCS_E_INVALID, "a stream begins to remember before its first row, and once");
    return tcsi_recent_row_count(stream->channel_count) > 0 ? tcsi_recent_create(&options, &stream->recent, err) : TCS_OK;
}

tcsi_recent *tcsi_detect_stream_recent(const tcsi_detect_stream *stream) { return stream->recent; }

/* ---- rows in ---- */

static tcs_status fit(tcsi_detect_stream *stream, tcs_error *err)
{
    tcsi_frame train = tcsi_frame_view(stream->kept, 0, stream->train_row_count);
    tcs_status status = tcsi_detect_blame_rows(tcsi_detector_fit(stream->detector, &train, err), err);
    return status == TCS_OK ? begin_judging(stream, err) : status;
}

/* Copies the row as the detector is to see it. */
static tcs_status see_row(tcsi_detect_stream *stream, const tcsi_row *row, tcs_error *err)
{
    if (stream->bound) return tcsi_bound_push(stream->bound, row->time_ns, row->values, stream->values, &stream->known, err);
    memcpy(stream->values, row->values, stream->channel_count * sizeof *stream->values);
    return TCS_OK;
}

tcs_status tcsi_detect_stream_push(tcsi_detect_stream *stream, const tcsi_row *row, uint8_t label, tcs_error *err)
{
    if (stream->is_over) return tcsi_fail(err, TCS_E_INVALID, "the stream was ended: no row can follow");
    if (stream->has_row || (stream->is_ready && stream->kept))
        return tcsi_fail(err, TCS_E_INVALID, "outcomes wait to be taken before another row can be pushed");
    tcs_status status = see_row(stream, row, err);
    if (status != TCS_OK) return status;
    if (!stream->is_ready) {
        if (stream->bound) stream->kept_known[stream->kept->row_count] = stream->known;
        status = tcsi_frame_append(stream->kept, stream->values, row->time_ns, label, err);
        if (status == TCS_OK) stream->pushed_count++;
        return status == TCS_OK && stream->kept->row_count == stream->train_row_count ? fit(stream, err) : status;
    }
    stream->row = (tcsi_row){ .sequence = stream->pushed_count++, .time_ns = row->time_ns, .values = stream->values };
    stream->label = label;
    stream->has_row = true;
    return TCS_OK;
}

tcs_status tcsi_detect_stream_end(tcsi_detect_stream *stream, tcs_error *err)
{
    stream->is_over = true;
    if (stream->pushed_count == stream->row_base) return tcsi_fail(err, TCS_E_INVALID, "no rows to look at");
    if (stream->is_ready) return TCS_OK;
    size_t row_count = stream->kept->row_count;
    if (stream->options.train_row_count > 0)
        return tcsi_fail(err, TCS_E_INVALID, "%zu training rows asked for, but there are only %zu rows", stream->train_row_count,
                         row_count);
    stream->train_row_count = tcsi_train_rows_default(TCS_MODE_ONLINE, row_count);
    return fit(stream, err);
}

/* ---- saved form ---- */

static void persist_episode(tcsi_detect_stream *stream, tcsi_codec *codec)
{
    tcsi_stream_episode *episode = &stream->episode;
    tcsi_codec_i64(codec, &episode->time_begin_ns);
    tcsi_codec_i64(codec, &episode->time_end_ns);
    tcsi_codec_i64(codec, &episode->time_peak_ns);
    tcsi_codec_size(codec, &episode->agreement.member_count, TCSI_MEMBER_COUNT_MAX);
    tcsi_codec_size(codec, &episode->agreement.agreeing_count, episode->agreement.member_count);
    tcsi_codec_f64(codec, &episode->agreement.p_value);
    tcsi_codec_f64(codec, &episode->agreement.disagreement);
    tcsi_codec_size(codec, &episode->shares.count, TCSI_SHARE_COUNT_MAX);
    for (size_t i = 0; i < episode->shares.count && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcsi_codec_size(codec, &episode->shares.shares[i].channel, stream->channel_count - 1);
        tcsi_codec_f64(codec, &episode->shares.shares[i].share);
    }
    tcsi_codec_f64s(codec, stream->part_sums, stream->channel_count);
}

static void persist_order(tcsi_order *order, tcsi_codec *codec)
{
    uint32_t both = (uint32_t)order->kind << 16 | order->which;
    tcsi_codec_u32(codec, &both);
    *order = (tcsi_order){ (uint16_t)(both >> 16), (uint16_t)both };
}

/* Which limit or event an open episode is about must be one that there is. */
static bool is_order_sound(const tcsi_bound *bound, tcsi_order order, unsigned kind)
{
    const size_t count = kind == TCSI_ORDER_ALARM ? bound->limit_count : bound->knowledge->event_count;
    return order.kind == TCSI_ORDER_NONE ? order.which == 0 : order.kind == kind && order.which < count;
}

/* What a stream with knowledge has beside the rest. */
static void persist_known(tcsi_detect_stream *stream, tcsi_codec *codec)
{
    tcsi_policy *policy = &stream->policy;
    if (!stream->bound) return;
    tcsi_bound_persist(stream->bound, codec);
    persist_order(&policy->tracker.episode.order, codec);
    tcsi_episode_tracker_persist(&policy->expected, codec);
    persist_order(&policy->expected.episode.order, codec);
    persist_order(&policy->excuse, codec);
    tcsi_codec_u64(codec, &policy->excuse_begin);
    tcsi_codec_u64(codec, &policy->excuse_end);
    tcsi_codec_bool(codec, &policy->is_excused);
    tcsi_codec_i64(codec, &stream->expected.time_begin_ns);
    tcsi_codec_i64(codec, &stream->expected.time_end_ns);
    tcsi_codec_i64(codec, &stream->expected.time_peak_ns);
    for (size_t i = 0; stream->votes.counts && i < tcsi_votes_cell_count(&stream->votes); i++)
        tcsi_codec_u64(codec, &stream->votes.counts[i]);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    const bool is_sound = is_order_sound(stream->bound, policy->tracker.episode.order, TCSI_ORDER_ALARM)
                          && is_order_sound(stream->bound, policy->expected.episode.order, TCSI_ORDER_EXCUSE)
                          && is_order_sound(stream->bound, policy->excuse, TCSI_ORDER_EXCUSE) &&
                              policy->excuse_begin <= stream->pushed_count
                          && stream->bound->row_count == stream->pushed_count && policy->expected.row_count == stream->pushed_count;
    if (!is_sound) tcsi_codec_refuse(codec, "knowledge that is not of these rows");
}

/* What there is besides name, channels and detector. */
static void persist(tcsi_detect_stream *stream, tcsi_codec *codec)
{
    tcsi_codec_size(codec, &stream->train_row_count, SIZE_MAX);
    tcsi_codec_u64(codec, &stream->pushed_count);
    persist_episode(stream, codec);
    tcsi_policy_persist(&stream->policy, codec);
    persist_known(stream, codec);
    tcsi_codec_tag(codec, "DONE");
}

tcs_status tcsi_detect_stream_save(tcsi_detect_stream *stream, tcsi_buffer *out, tcs_error *err)
{
    if (!stream->is_ready || stream->kept || stream->has_row)
        return tcsi_fail(err, TCS_E_INVALID, stream->is_ready ? "outcomes wait to be taken before the stream can be saved"
                                                              : "the stream has not seen its training rows yet: nothing to save");
    tcsi_buffer detector;
    tcsi_buffer_init(&detector, SIZE_MAX);
    tcs_status status = tcsi_detector_save(stream->detector, &detector, err);
    tcsi_codec codec = tcsi_codec_save(out, err);
    if (status == TCS_OK) {
        tcsi_codec_tag(&codec, "STRM");
        tcsi_registry_persist(&stream->info, &codec);
        tcsi_codec_size(&codec, &stream->channel_count, TCSI_FRAME_CHANNEL_COUNT_MAX);
        tcsi_codec_size(&codec, &detector.size, SIZE_MAX);
        tcsi_codec_bytes(&codec, detector.data, detector.size);
        persist(stream, &codec);
        status = tcsi_codec_status(&codec);
    }
    tcsi_buffer_deinit(&detector);
    return status;
}

tcs_status tcsi_detect_stream_save_detector(const tcsi_detect_stream *stream, tcsi_buffer *out, tcs_error *err)
{
    return tcsi_detector_save(stream->detector, out, err);
}

/* Name, channels and detector. */
static tcs_status load_detector(tcsi_detect_stream *stream, tcsi_codec *codec, tcs_error *err)
{
    size_t size = 0;
    tcsi_codec_tag(codec, "STRM");
    tcsi_registry_persist(&stream->info, codec);
    tcsi_codec_size(codec, &stream->channel_count, TCSI_FRAME_CHANNEL_COUNT_MAX);
    tcsi_codec_size(codec, &size, codec->in_size);
    if (tcsi_codec_status(codec) == TCS_OK && (stream->channel_count == 0 || size > codec->in_size))
        tcsi_codec_refuse(codec, "a damaged stream");
    tcs_status status = tcsi_codec_status(codec);
    if (status == TCS_OK) status = tcsi_detector_load(codec->in, size, stream->pool, &stream->detector, err);
    if (status != TCS_OK) return status;
    codec->in += size;
    codec->in_size -= size;
    const tcsi_detector *detector = stream->detector;
    const bool is_named = detector->info == stream->info || detector->info == &tcsi_detector_per_channel;
    if (!is_named || detector->channel_count != stream->channel_count || !detector->info->ops->push)
        return tcsi_fail(err, TCS_E_FORMAT, "saved state: a stream of %s holds another detector", stream->info->name);
    return TCS_OK;
}

tcs_status tcsi_detect_stream_load(const void *bytes, size_t size, size_t thread_count, tcsi_bound *bound, tcsi_detect_stream **ret_stream,
                                   tcs_error *err)
{
    static const tcsi_policy_options any = { .mode = TCS_MODE_ONLINE };
    tcsi_detect_stream *stream = TCSI_NEW(tcsi_detect_stream);
    if (!stream) {
        tcsi_bound_destroy(bound);
        return tcsi_fail_memory(err, "a stream");
    }
    stream->bound = bound;
    tcsi_codec codec = tcsi_codec_load(bytes, size, err);
    tcs_status status = thread_count != 1 ? tcsi_pool_create(thread_count, &stream->pool, err) : TCS_OK;
    if (status == TCS_OK) status = load_detector(stream, &codec, err);
    if (status == TCS_OK && bound && bound->out_count != stream->channel_count)
        status = tcsi_fail(err, TCS_E_FORMAT, "saved state: a stream of %zu channels with knowledge of %zu", stream->channel_count,
                           bound->out_count);
    if (status == TCS_OK && bound && bound->knowledge->rule_count > 0) status = tcsi_votes_init(&stream->votes, bound->knowledge, err);
    if (status == TCS_OK) status = allocate(stream, err);
    if (status == TCS_OK) status = tcsi_policy_init(&stream->policy, &any, err);
    if (status == TCS_OK) {
        persist(stream, &codec);
        if (codec.in_size > 0 && tcsi_codec_status(&codec) == TCS_OK) tcsi_codec_refuse(&codec, "more bytes than a stream has");
        status = tcsi_codec_status(&codec);
    }
    if (status == TCS_OK && (stream->policy.tracker.row_count != stream->pushed_count || stream->policy.row_count != stream->pushed_count))
        status = tcsi_fail(err, TCS_E_FORMAT, "saved state: a stream whose decisions are not about its rows");
    if (status != TCS_OK) {
        tcsi_detect_stream_destroy(stream);
        return status;
    }
    stream->options.mode = TCS_MODE_ONLINE;
    stream->row_base = stream->pushed_count;
    stream->is_ready = true;
    *ret_stream = stream;
    return TCS_OK;
}

/* ---- outcomes out ---- */

static void take_kept(tcsi_detect_stream *stream)
{
    size_t t = stream->kept_next++;
    tcsi_frame_row(stream->kept, t, stream->values);
    stream->row = (tcsi_row){ .sequence = t, .time_ns = stream->kept->times_ns[t], .values = stream->values };
    stream->label = stream->kept->labels[t];
    if (stream->bound) stream->known = stream->kept_known[t];
    if (stream->kept_next < stream->kept->row_count) return;
    tcsi_frame_destroy(stream->kept);
    stream->kept = NULL;
}

/* The row belongs to the open episode. */
static void follow_episode(tcsi_detect_stream *stream, const tcsi_outcome *outcome)
{
    tcsi_stream_episode *episode = &stream->episode;
    const bool opened = outcome->verdict.event == TCSI_EPISODE_OPENED;
    stream->episode_count += opened || stream->episode_count == 0; /* one that began before the save counts with its first row */
    if (opened) episode->time_begin_ns = stream->row.time_ns;
    if (stream->policy.tracker.episode.row_peak == stream->row.sequence) {
        episode->time_peak_ns = stream->row.time_ns;
        episode->agreement = tcsi_agreement_of(outcome->said, outcome->member_count);
    }
    episode->time_end_ns = stream->row.time_ns;
    if (stream->channel_count == 1) {
        episode->shares = (tcsi_episode_shares){ .shares = { { .channel = 0, .share = 1 } }, .count = 1 };
        return;
    }
    if (opened) memset(stream->part_sums, 0, stream->channel_count * sizeof *stream->part_sums);
    if (opened) episode->shares.count = 0;
    if (!tcsi_detector_contribute(stream->detector, stream->parts)) return;
    for (size_t c = 0; c < stream->channel_count; c++)
        if (stream->parts[c] > 0) stream->part_sums[c] += stream->parts[c];
    tcsi_rank_parts(stream->part_sums, stream->channel_count, &episode->shares);
}

/* Before the verdict: what people ordered. */
static void give_order(tcsi_detect_stream *stream)
{
    if (stream->bound) tcsi_policy_order(&stream->policy, stream->known.order);
}

/* After it: what is expected, and who spoke. */
static void follow_known(tcsi_detect_stream *stream, const tcsi_outcome *outcome)
{
    tcsi_stream_episode *expected = &stream->expected;
    const tcsi_episode_event event = outcome->verdict.expected_event;
    const double level = stream->policy.by_evidence ? outcome->score.evidence : outcome->score.value;
    const bool alarms = outcome->score.state == TCS_SCORE_READY && level > outcome->verdict.threshold;
    if (!stream->bound) return;
    if (stream->votes.counts) tcsi_votes_add(&stream->votes, stream->known.spoken, alarms, TCSI_TRUTH_UNKNOWN);
    if (event != TCSI_EPISODE_OPENED && event != TCSI_EPISODE_CONTINUED) return;
    stream->expected_count += event == TCSI_EPISODE_OPENED || stream->expected_count == 0;
    if (event == TCSI_EPISODE_OPENED) expected->time_begin_ns = stream->row.time_ns;
    if (stream->policy.expected.episode.row_peak == stream->row.sequence) expected->time_peak_ns = stream->row.time_ns;
    expected->time_end_ns = stream->row.time_ns;
}

/* Rows as they are counted here. */
static void rebase(const tcsi_detect_stream *stream, tcsi_episode *episode)
{
    size_t *const rows[] = { &episode->row_begin, &episode->row_end, &episode->row_peak, &episode->row_confirmed };
    for (size_t i = 0; i < TCS_COUNT(rows); i++) *rows[i] -= *rows[i] < stream->row_base ? *rows[i] : (size_t)stream->row_base;
}

static void remember(tcsi_detect_stream *stream, const tcsi_outcome *outcome)
{
    tcsi_episode episode = stream->policy.tracker.episode;
    if (!stream->recent) return;
    tcsi_recent_push(stream->recent, &outcome->row, &outcome->score, &outcome->verdict);
    tcsi_recent_listen(stream->recent, outcome->said, outcome->member_count);
    if (outcome->verdict.event != TCSI_EPISODE_CLOSED) return;
    rebase(stream, &episode);
    tcsi_recent_close(stream->recent, &episode);
}

tcs_status tcsi_detect_stream_next(tcsi_detect_stream *stream, tcsi_outcome *ret_outcome, bool *ret_any, tcs_error *err)
{
    *ret_any = stream->is_ready && (stream->has_row || stream->kept);
    if (!*ret_any) return TCS_OK;
    if (stream->kept) take_kept(stream);
    stream->has_row = false;
    tcsi_outcome outcome = { .row = stream->row, .label = stream->label, .known = stream->known };
    tcsi_detector_push(stream->detector, &stream->row, &outcome.score);
    outcome.member_count = tcsi_detector_members(stream->detector, TCSI_ROW_LAST, outcome.said);
    give_order(stream);
    tcs_status status = tcsi_policy_push(&stream->policy, &outcome.score, stream->row.time_ns, &outcome.verdict, err);
    if (status != TCS_OK) return status;
    if (outcome.verdict.anomaly) follow_episode(stream, &outcome);
    follow_known(stream, &outcome);
    if (stream->episode_count == 0) outcome.verdict.event = TCSI_EPISODE_NONE; /* the end of one that had no row here */
    if (stream->expected_count == 0) outcome.verdict.expected_event = TCSI_EPISODE_NONE;
    remember(stream, &outcome);
    stream->given_count++;
    outcome.row.sequence -= stream->row_base;
    *ret_outcome = outcome;
    return TCS_OK;
}

/* ---- what is known so far ---- */
bool tcsi_detect_stream_episode(const tcsi_detect_stream *stream, tcsi_stream_episode *ret_episode)
{
    if (stream->episode_count == 0) return false;
    *ret_episode = stream->episode;
    ret_episode->episode = stream->policy.tracker.episode;
    rebase(stream, &ret_episode->episode);
    return true;
}

bool tcsi_detect_stream_expected(const tcsi_detect_stream *stream, tcsi_stream_episode *ret_episode)
{
    if (stream->expected_count == 0) return false;
    *ret_episode = stream->expected;
    ret_episode->episode = stream->policy.expected.episode;
    rebase(stream, &ret_episode->episode);
    return true;
}

bool tcsi_detect_stream_expected_is_open(const tcsi_detect_stream *stream)
{
    return stream->expected_count > 0 && stream->policy.expected.is_open;
}

const tcsi_bound *tcsi_detect_stream_bound(const tcsi_detect_stream *stream) { return stream->bound; }

const tcsi_votes *tcsi_detect_stream_votes(tcsi_detect_stream *stream)
{
    if (!stream->votes.counts) return NULL;
    tcsi_votes_estimate(&stream->votes);
    return &stream->votes;
}

bool tcsi_detect_stream_episode_is_open(const tcsi_detect_stream *stream)
{
    return stream->episode_count > 0 && stream->policy.tracker.is_open;
}

uint64_t tcsi_detect_stream_episode_count(const tcsi_detect_stream *stream) { return stream->episode_count; }
uint64_t tcsi_detect_stream_row_count(const tcsi_detect_stream *stream) { return stream->given_count; }
const tcsi_detector_info *tcsi_detect_stream_info(const tcsi_detect_stream *stream) { return stream->info; }
size_t tcsi_detect_stream_train_row_count(const tcsi_detect_stream *stream) { return stream->train_row_count; }
const tcsi_tail *tcsi_detect_stream_tail(const tcsi_detect_stream *stream) { return &stream->policy.history.tail; }
double tcsi_detect_stream_threshold(const tcsi_detect_stream *stream) { return stream->policy.threshold; }
const tcsi_training *tcsi_detect_stream_training(const tcsi_detect_stream *stream) { return &stream->training; }
const tcsi_detector *tcsi_detect_stream_detector(const tcsi_detect_stream *stream) { return stream->detector; }

double tcsi_detect_stream_budget(const tcsi_detect_stream *stream)
{
    return tcsi_policy_rate(&stream->policy) * (double)stream->given_count;
}

const tcsi_budget *tcsi_detect_stream_stated(const tcsi_detect_stream *stream) { return &stream->policy.options.budget; }

bool tcsi_detect_stream_adds_up(const tcsi_detect_stream *stream) { return tcsi_policy_adds_up(&stream->policy); }

bool tcsi_detect_stream_by_evidence(const tcsi_detect_stream *stream) { return stream->policy.by_evidence; }
bool tcsi_detect_stream_own_threshold(const tcsi_detect_stream *stream) { return stream->policy.own_threshold_used; }

size_t tcsi_detect_stream_size_max(const tcsi_detect_stream *stream)
{
    size_t row = stream->channel_count * sizeof(double);
    size_t kept = stream->row_base > 0 || !stream->info->ops->fit ? 0 : stream->train_row_count;
    size_t frame = kept * 2 * (row + sizeof(int64_t) + 1) + stream->channel_count * 64 + sizeof(tcsi_frame); /* it doubles as it grows */
    const size_t known = stream->bound ? tcsi_bound_size_max(stream->bound) + kept * sizeof(tcsi_bound_row) +
                                         tcsi_known_constraints_size(stream->constraints) : 0;
    const size_t recent = stream->recent ? tcsi_recent_size_max(stream->channel_count, member_max(stream)) : 0;
    return sizeof *stream + known + 3 * row + frame + recent + tcsi_detector_size_max(stream->detector, 0)
           + tcsi_policy_size_max(stream->is_ready ? &stream->policy.options.budget : &stream->options.budget);
}
