/* bench/ingest_bench.c -- from the bytes of a request to a batch of samples, in nanoseconds of processor time a sample.
 *
 * usage: ingest_bench [OUTPUT.json]      prints a table; TOCSIN_BENCH_PYTHON names a python that has protobuf, else no peer runs
 * Each case is one body as its protocol's usual sender writes it: 2,000 series of one sample in mixed order, ten labels of 200 bytes.  A
 * turn decompresses and decodes it; decompression alone is timed as well, in the same round, so that the two can be told apart, and so is
 * reading the keys of all series, which is what a body costs more when none of them is known.  Medians, as other programs may be busy.
 * The peer, in turn with ours, is Python's protobuf (upb, in C) making objects of the same remote-write 1.0 body, without Snappy and without
 * looking at them.  Every turn's samples are summed on both sides; a wrong sum fails the program, a slow figure never does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/protobuf_write.h"
#include "base/snappy.h"
#include "figure.h"
#include "peer.h"
#include "serve/ingest/ingest.h"

#include <stdio.h>
#include <time.h>

enum { SERIES_COUNT = 2000, LABEL_COUNT = 10, ROUND_COUNT = 201, PEER_EVERY = 10 };

#define TIME_MS INT64_C(1764158400000)

typedef struct label {
    char name[24], value[64];
} label;

typedef struct bench_case {
    const char *name;
    tcsi_ingest_format format;
    tcs_status (*write)(tcsi_buffer *plain, tcs_error *err);
    double target; /* million samples a second, decompression included; NaN: none */
    bool has_peer;
} bench_case;

static double processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Names and values as a cluster's node exporters have them; 200 bytes in all. */
static void labels_of(size_t place, label labels[LABEL_COUNT])
{
    const size_t series = place * 797 % SERIES_COUNT; /* neighbours in a body differ in more than one label */
    static const char *const names[LABEL_COUNT] = { "__name__", "cluster",  "container", "cpu", "instance",
                                                    "job",      "mode", "namespace", "node", "pod" };
    static const char *const modes[] = { "idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user" };
    for (size_t i = 0; i < LABEL_COUNT; i++) snprintf(labels[i].name, sizeof labels[i].name, "%s", names[i]);
    snprintf(labels[0].value, sizeof labels[0].value, "node_cpu_seconds_total");
    snprintf(labels[1].value, sizeof labels[1].value, "eu-central-1-production");
    snprintf(labels[2].value, sizeof labels[2].value, "node-exporter");
    snprintf(labels[3].value, sizeof labels[3].value, "%zu", series / 8 % 32);
    snprintf(labels[4].value, sizeof labels[4].value, "10.0.%zu.17:9100", series / 256);
    snprintf(labels[5].value, sizeof labels[5].value, "node-exporter");
    snprintf(labels[6].value, sizeof labels[6].value, "%s", modes[series % 8]);
    snprintf(labels[7].value, sizeof labels[7].value, "monitoring");
    snprintf(labels[8].value, sizeof labels[8].value, "worker-%04zu.eu-central-1", series / 256);
    snprintf(labels[9].value, sizeof labels[9].value, "node-exporter-%05zu", series / 256 * 7919);
}

static double value_of(size_t series)
{
    return (double)series * 1.25 + 17;
}

/* Message Sample, which the writer has no doubles for. */
static void put_sample(tcsi_protobuf_writer *writer, size_t series)
{
    unsigned char bytes[9] = { 1 << 3 | 1 };
    double value = value_of(series);
    memcpy(bytes + 1, &value, sizeof value);
    tcsi_protobuf_begin(writer, 2);
    if (writer->status == TCS_OK) writer->status = tcsi_buffer_append(writer->out, bytes, sizeof bytes, NULL);
    tcsi_protobuf_integer(writer, 2, TIME_MS);
    tcsi_protobuf_end(writer);
}

static tcs_status write_remote_write_1(tcsi_buffer *plain, tcs_error *err)
{
    tcsi_protobuf_writer writer;
    tcsi_protobuf_writer_init(&writer, plain);
    for (size_t s = 0; s < SERIES_COUNT; s++) {
        label labels[LABEL_COUNT];
        labels_of(s, labels);
        tcsi_protobuf_begin(&writer, 1);
        for (size_t i = 0; i < LABEL_COUNT; i++) {
            tcsi_protobuf_begin(&writer, 1);
            tcsi_protobuf_text(&writer, 1, labels[i].name);
            tcsi_protobuf_text(&writer, 2, labels[i].value);
            tcsi_protobuf_end(&writer);
        }
        put_sample(&writer, s);
        tcsi_protobuf_end(&writer);
    }
    return tcsi_protobuf_finish(&writer, err);
}

typedef struct symbols {
    char (*texts)[64];
    size_t count;
} symbols;

/* Slow, and not timed. */
static size_t place_of(symbols *all, const char *text)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->texts[i], text) == 0) return i;
    snprintf(all->texts[all->count], sizeof *all->texts, "%s", text);
    return all->count++;
}

static tcs_status write_remote_write_2(tcsi_buffer *plain, tcs_error *err)
{
    static size_t places[SERIES_COUNT][2 * LABEL_COUNT];
    tcsi_protobuf_writer writer;
    symbols all = { tcsi_alloc_zero(SERIES_COUNT * 2 * LABEL_COUNT + 1, sizeof *all.texts), 1 };
    if (!all.texts) return tcsi_fail_memory(err, "symbols");
    for (size_t s = 0; s < SERIES_COUNT; s++) {
        label labels[LABEL_COUNT];
        labels_of(s, labels);
        for (size_t i = 0; i < LABEL_COUNT; i++) {
            places[s][2 * i] = place_of(&all, labels[i].name);
            places[s][2 * i + 1] = place_of(&all, labels[i].value);
        }
    }
    tcsi_protobuf_writer_init(&writer, plain);
    for (size_t i = 0; i < all.count; i++) tcsi_protobuf_text(&writer, 4, all.texts[i]);
    for (size_t s = 0; s < SERIES_COUNT; s++) {
        unsigned char packed[2 * LABEL_COUNT * 10], *at = packed;
        for (size_t i = 0; i < 2 * LABEL_COUNT; i++) {
            size_t left = places[s][i];
            for (; left >= 0x80; left >>= 7) *at++ = (unsigned char)(left | 0x80);
            *at++ = (unsigned char)left;
        }
        tcsi_protobuf_begin(&writer, 5);
        tcsi_protobuf_bytes(&writer, 1, packed, (size_t)(at - packed));
        put_sample(&writer, s);
        tcsi_protobuf_begin(&writer, 5);
        tcsi_protobuf_integer(&writer, 1, 1);
        tcsi_protobuf_end(&writer);
        tcsi_protobuf_end(&writer);
    }
    tcsi_free(all.texts);
    return tcsi_protobuf_finish(&writer, err);
}

/* One metric of 2,000 points; its name is the point's tenth label. */
static tcs_status write_otlp_protobuf(tcsi_buffer *plain, tcs_error *err)
{
    tcsi_protobuf_writer writer;
    tcsi_protobuf_writer_init(&writer, plain);
    tcsi_protobuf_begin(&writer, 1);
    tcsi_protobuf_begin(&writer, 2);
    tcsi_protobuf_begin(&writer, 2);
    tcsi_protobuf_text(&writer, 1, "node_cpu_seconds_total");
    tcsi_protobuf_begin(&writer, 5);
    for (size_t s = 0; s < SERIES_COUNT; s++) {
        label labels[LABEL_COUNT];
        const double value = value_of(s);
        const int64_t time_ns = TIME_MS * 1000000;
        unsigned char fixed[18] = { 3 << 3 | 1, [9] = 4 << 3 | 1 };
        memcpy(fixed + 1, &time_ns, 8);
        memcpy(fixed + 10, &value, 8);
        labels_of(s, labels);
        tcsi_protobuf_begin(&writer, 1);
        if (writer.status == TCS_OK) writer.status = tcsi_buffer_append(plain, fixed, sizeof fixed, NULL);
        for (size_t i = 1; i < LABEL_COUNT; i++) {
            tcsi_protobuf_begin(&writer, 7);
            tcsi_protobuf_text(&writer, 1, labels[i].name);
            tcsi_protobuf_begin(&writer, 2);
            tcsi_protobuf_text(&writer, 1, labels[i].value);
            tcsi_protobuf_end(&writer);
            tcsi_protobuf_end(&writer);
        }
        tcsi_protobuf_end(&writer);
    }
    for (int i = 0; i < 4; i++) tcsi_protobuf_end(&writer);
    return tcsi_protobuf_finish(&writer, err);
}

static tcs_status write_line_protocol(tcsi_buffer *plain, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t s = 0; s < SERIES_COUNT && status == TCS_OK; s++) {
        label labels[LABEL_COUNT];
        labels_of(s, labels);
        status = tcsi_buffer_puts(plain, "node_cpu", err);
        for (size_t i = 1; i < LABEL_COUNT && status == TCS_OK; i++)
            status = tcsi_buffer_printf(plain, err, ",%s=%s", labels[i].name, labels[i].value);
        if (status == TCS_OK)
            status = tcsi_buffer_printf(plain, err, " seconds_total=%.17g %lld\n", value_of(s), (long long)TIME_MS * 1000000);
    }
    return status;
}

static tcs_status write_ndjson(tcsi_buffer *plain, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t s = 0; s < SERIES_COUNT && status == TCS_OK; s++) {
        label labels[LABEL_COUNT];
        labels_of(s, labels);
        status = tcsi_buffer_printf(plain, err, "{\"time\":%lld", (long long)TIME_MS);
        for (size_t i = 1; i < LABEL_COUNT && status == TCS_OK; i++)
            status = tcsi_buffer_printf(plain, err, ",\"%s\":\"%s\"", labels[i].name, labels[i].value);
        if (status == TCS_OK) status = tcsi_buffer_printf(plain, err, ",\"%s\":%.17g}\n", labels[0].value, value_of(s));
    }
    return status;
}

static const bench_case cases[] = {
    { "remote-write 1.0", { TCSI_INGEST_REMOTE_WRITE_1, TCSI_INGEST_SNAPPY }, write_remote_write_1, 5, true },
    { "remote-write 2.0", { TCSI_INGEST_REMOTE_WRITE_2, TCSI_INGEST_SNAPPY }, write_remote_write_2, NAN, false },
    { "OTLP, protobuf", { TCSI_INGEST_OTLP_PROTOBUF }, write_otlp_protobuf, NAN, false },
    { "line protocol", { TCSI_INGEST_LINE_PROTOCOL }, write_line_protocol, NAN, false },
    { "NDJSON rows", { TCSI_INGEST_NDJSON }, write_ndjson, NAN, false },
};

/* ---- the peer: a python that answers each line with the seconds of one run and the sum it found ---- */

static double expected_sum(void)
{
    double sum = 0;
    for (size_t i = 0; i < SERIES_COUNT; i++) sum += value_of(i);
    return sum;
}

static tcs_status peer_run(peer_process *peer, double *ret_ns, tcs_error *err)
{
    double seconds = 0, sum = 0;
    char line[120];
    const tcs_status status = peer_ask(peer, "run", line, sizeof line, err);
    if (status != TCS_OK) return status;
    if (sscanf(line, "%lf %lf", &seconds, &sum) != 2 || sum != expected_sum())
        return tcsi_fail(err, TCS_E_FORMAT, "the peer answers another sum than %g", expected_sum());
    *ret_ns = seconds * 1e9;
    return TCS_OK;
}

/* ---- measuring ---- */

typedef struct outcome {
    size_t plain_size, body_size;
    double all_ns, decompress_ns, keys_ns, peer_ns; /* a sample */
} outcome;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A sample. */
static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count > 0 ? values[count / 2] / SERIES_COUNT : NAN;
}

static tcs_status compress(tcsi_ingest_format format, const tcsi_buffer *plain, tcsi_buffer *body, tcs_error *err)
{
    if (format.compression != TCSI_INGEST_SNAPPY) return tcsi_buffer_append(body, plain->data, plain->size, err);
    tcs_status status = tcsi_buffer_reserve(body, tcsi_snappy_size_max(plain->size), err);
    if (status == TCS_OK) status = tcsi_snappy_encode(plain->data, plain->size, body->data, &body->size, err);
    return status;
}

static tcs_status check(const bench_case *c, const tcsi_batch *batch, tcs_error *err)
{
    double sum = 0, expected = expected_sum();
    for (size_t i = 0; i < batch->sample_count; i++) sum += batch->values[i];
    if (batch->series_count == SERIES_COUNT && batch->sample_count == SERIES_COUNT && sum == expected && batch->times_ns[0] == TIME_MS * 1000000)
        return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "%s: %zu series, %zu samples, sum %g; expected %d and %g", c->name, batch->series_count,
                     batch->sample_count, sum, SERIES_COUNT, expected);
}

/* What a body costs when none of its series is known: every key decoded. */
static tcs_status read_keys(const bench_case *c, const tcsi_batch *batch, tcs_error *err)
{
    tcsi_key key;
    for (size_t i = 0; i < batch->series_count; i++)
        if (tcsi_batch_key(batch, i, &key) != TCSI_OUTCOME_ACCEPTED || key.tag_count != LABEL_COUNT)
            return tcsi_fail(err, TCS_E_FORMAT, "%s: series %zu has %zu tags, expected %d", c->name, i, key.tag_count, LABEL_COUNT);
    return TCS_OK;
}

static tcs_status measure(const bench_case *c, const char *python, outcome *ret, tcs_error *err)
{
    static double all[ROUND_COUNT], decompress[ROUND_COUNT], keys[ROUND_COUNT], peers[ROUND_COUNT];
    char path[64];
    peer_process peer = { 0 };
    char version[120] = "";
    size_t peer_count = 0;
    snprintf(path, sizeof path, "/tmp/tocsin-ingest-bench-%ld.body", (long)getpid());
    tcsi_buffer plain, body;
    tcsi_batch batch;
    tcsi_buffer_init(&plain, 1 << 26);
    tcsi_buffer_init(&body, 1 << 26);
    tcsi_batch_init(&batch, NULL);
    tcs_status status = c->write(&plain, err);
    if (status == TCS_OK) status = compress(c->format, &plain, &body, err);
    if (status == TCS_OK && python && c->has_peer) status = tcsi_file_write(path, plain.data, plain.size, err);
    if (status == TCS_OK && python && c->has_peer) status = peer_open(python, INGEST_PEER, path, &peer, version, err);
    for (size_t r = 0; r < ROUND_COUNT && status == TCS_OK; r++) {
        double begin = processor_ns();
        status = tcsi_ingest_decode(c->format, body.data, body.size, TIME_MS * 1000000, &batch, err);
        all[r] = processor_ns() - begin;
        if (status == TCS_OK) status = check(c, &batch, err);
        begin = processor_ns();
        if (status == TCS_OK) status = read_keys(c, &batch, err);
        keys[r] = processor_ns() - begin;
        begin = processor_ns();
        if (status == TCS_OK && c->format.compression == TCSI_INGEST_SNAPPY)
            status = tcsi_snappy_decode(body.data, body.size, plain.data, plain.size, err);
        decompress[r] = processor_ns() - begin;
        if (status == TCS_OK && peer.to && r % PEER_EVERY == 0) status = peer_run(&peer, &peers[peer_count++], err);
    }
    *ret = (outcome){ plain.size, body.size, median(all, ROUND_COUNT), median(decompress, ROUND_COUNT), median(keys, ROUND_COUNT),
                      median(peers, peer_count) };
    peer_close(&peer);
    unlink(path);
    if (c->format.compression != TCSI_INGEST_SNAPPY) ret->decompress_ns = 0;
    tcsi_batch_deinit(&batch);
    tcsi_buffer_deinit(&plain);
    tcsi_buffer_deinit(&body);
    return status;
}

int main(int argc, char **argv)
{
    tcs_error err = { 0 };
    tcs_status status = TCS_OK;
    tcsi_buffer json;
    tcsi_json_writer writer;
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&writer, &json, true);
    tcsi_json_begin_array(&writer);
    const char *python = getenv("TOCSIN_BENCH_PYTHON");
    if (python && !*python) python = NULL;
    if (!python) printf("(TOCSIN_BENCH_PYTHON names a python with protobuf to compare with)\n");
    printf("%-18s %7s %8s %11s %10s %11s %12s %7s %10s\n", "one core", "bytes", "as sent", "decompress", "decode", "all keys", "M samples/s",
           "target", "peer");
    for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) {
        outcome o;
        status = measure(&cases[i], python, &o, &err);
        if (status != TCS_OK) break;
        double rate = 1e3 / o.all_ns;
        printf("%-18s %7.0f %8.0f %8.0f ns %7.0f ns %8.0f ns %12.2f", cases[i].name, (double)o.plain_size / SERIES_COUNT,
               (double)o.body_size / SERIES_COUNT, o.decompress_ns, o.all_ns - o.decompress_ns, o.keys_ns, rate);
        if (!isnan(cases[i].target)) printf(" %7.1f", cases[i].target);
        if (!isnan(o.peer_ns)) printf(" %7.0f ns", o.peer_ns);
        printf("\n");
        figure_write(&writer, &(figure){ .name = cases[i].name, .unit = "M samples/s", .ours = rate, .peer = 1e3 / o.peer_ns,
                                         .peer_name = "Python protobuf (upb)", .ratio = o.peer_ns / o.all_ns, .target = cases[i].target,
                                         .ok = !(rate < cases[i].target) });
    }
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, &err);
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], json.data, json.size, &err);
    if (status != TCS_OK) fprintf(stderr, "ingest_bench: %s\n", err.text);
    tcsi_buffer_deinit(&json);
    return status == TCS_OK ? 0 : 1;
}
