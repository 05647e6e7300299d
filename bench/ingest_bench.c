/* bench/ingest_bench.c -- from the bytes of a request to a batch of samples, in nanoseconds of processor time a sample.
 *
 * usage: ingest_bench [OUTPUT.json]      writes the table to standard output and the same as JSON
 * Each case is one body as its protocol's usual sender writes it: 2,000 series of one sample, ten labels of 200 bytes.  A turn decompresses
 * and decodes it; decompression alone is timed as well, in the same round, so that the two columns can be told apart.  Median of many rounds
 * on a machine that others use.  Peer: where INGEST_PEER can be run, Python's protobuf (upb, in C) parsing the same remote-write bytes into
 * its objects, without Snappy.  Each turn's samples are summed and compared with what was written; a slow figure never fails the program.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/protobuf_write.h"
#include "base/snappy.h"
#include "figure.h"
#include "serve/ingest/ingest.h"

#include <stdio.h>
#include <time.h>

enum { SERIES_COUNT = 2000, LABEL_COUNT = 10, ROUND_COUNT = 301 };

#define TIME_MS INT64_C(1764158400000)

typedef struct label {
    char name[24], value[64];
} label;

typedef struct bench_case {
    const char *name;
    tcsi_ingest_format format;
    tcs_status (*write)(tcsi_buffer *plain, tcs_error *err);
    double target; /* million samples a second, decompression included */
} bench_case;

static double processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Names and values as a cluster's node exporters have them; 200 bytes in all. */
static void labels_of(size_t series, label labels[LABEL_COUNT])
{
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

static const bench_case cases[] = {
    { "remote-write 1.0", { TCSI_INGEST_REMOTE_WRITE_1, TCSI_INGEST_SNAPPY }, write_remote_write_1, 5 },
    { "remote-write 2.0", { TCSI_INGEST_REMOTE_WRITE_2, TCSI_INGEST_SNAPPY }, write_remote_write_2, 5 },
};

typedef struct outcome {
    size_t plain_size, body_size;
    double all_ns, decompress_ns, keys_ns; /* a sample */
} outcome;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUND_COUNT, sizeof *values, compare);
    return values[ROUND_COUNT / 2];
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
    double sum = 0, expected = 0;
    for (size_t i = 0; i < batch->sample_count; i++) sum += batch->values[i];
    for (size_t i = 0; i < SERIES_COUNT; i++) expected += value_of(i);
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

static tcs_status measure(const bench_case *c, outcome *ret, tcs_error *err)
{
    static double all[ROUND_COUNT], decompress[ROUND_COUNT], keys[ROUND_COUNT];
    tcsi_buffer plain, body;
    tcsi_batch batch;
    tcsi_buffer_init(&plain, 1 << 26);
    tcsi_buffer_init(&body, 1 << 26);
    tcsi_batch_init(&batch, NULL);
    tcs_status status = c->write(&plain, err);
    if (status == TCS_OK) status = compress(c->format, &plain, &body, err);
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
    }
    *ret = (outcome){ plain.size, body.size, median(all) / SERIES_COUNT, median(decompress) / SERIES_COUNT, median(keys) / SERIES_COUNT };
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
    printf("%-20s %9s %9s %12s %12s %12s %12s %8s\n", "one core", "bytes", "as sent", "decompress", "decode", "unknown: key", "M samples/s",
           "target");
    for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) {
        outcome o;
        status = measure(&cases[i], &o, &err);
        if (status != TCS_OK) break;
        double rate = 1e3 / o.all_ns;
        printf("%-20s %9.0f %9.0f %9.0f ns %9.0f ns %9.0f ns %12.2f %8.1f\n", cases[i].name, (double)o.plain_size / SERIES_COUNT,
               (double)o.body_size / SERIES_COUNT, o.decompress_ns, o.all_ns - o.decompress_ns, o.keys_ns, rate, cases[i].target);
        figure_write(&writer, &(figure){ .name = cases[i].name, .unit = "M samples/s", .ours = rate, .peer = NAN, .ratio = NAN,
                                         .target = cases[i].target, .ok = rate >= cases[i].target });
    }
    tcsi_json_end_array(&writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, &err);
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], json.data, json.size, &err);
    if (status != TCS_OK) fprintf(stderr, "ingest_bench: %s\n", err.text);
    tcsi_buffer_deinit(&json);
    return status == TCS_OK ? 0 : 1;
}
