/* Streams: plain, gzip, zstd; every truncation and every flipped byte is an error or gives the same bytes. */
#include "test.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "io/stream.h"

#include <fcntl.h>

static tcs_status read_to_end(tcsi_stream *stream, tcsi_buffer *out, size_t step, tcs_error *err)
{
    char bytes[4096];
    for (;;) {
        size_t count = 0;
        tcs_status status = tcsi_stream_read(stream, bytes, step, &count, err);
        if (status != TCS_OK || count == 0) return status;
        status = tcsi_buffer_append(out, bytes, count, err);
        if (status != TCS_OK) return status;
    }
}

static tcs_status read_memory(const void *bytes, size_t size, tcsi_buffer *out, size_t step, tcs_error *err)
{
    tcsi_stream *stream = NULL;
    tcs_status status = tcsi_stream_open_memory(bytes, size, "memory", &stream, err);
    if (status != TCS_OK) return status;
    status = read_to_end(stream, out, step, err);
    tcsi_stream_close(stream);
    return status;
}

static void load(const char *relative, tcsi_buffer *ret_bytes)
{
    tcsi_buffer_init(ret_bytes, 1 << 20);
    assert_ok(tcsi_file_read(test_source(relative), ret_bytes, test_err));
}

static bool can_read(const char *archive)
{
    tcsi_stream *stream = NULL;
    tcs_status status = tcsi_stream_open(test_source(archive), &stream, NULL);
    if (status == TCS_OK) tcsi_stream_close(stream);
    return status != TCS_E_UNSUPPORTED;
}

static void check_archive(const char *archive)
{
    tcsi_buffer plain, packed, out;
    tcs_error err;
    if (!can_read(archive)) skip();
    load("tests/golden/io/plain.csv", &plain);
    load(archive, &packed);
    tcsi_buffer_init(&out, 1 << 20);
    for (size_t step = 1; step <= 4096; step *= 8) {
        tcsi_buffer_clear(&out);
        assert_ok(read_memory(packed.data, packed.size, &out, step, test_err));
        assert_int_equal(out.size, plain.size);
        assert_memory_equal(out.data, plain.data, plain.size);
    }
    for (size_t size = 8; size < packed.size; size++) { /* every truncation */
        tcsi_buffer_clear(&out);
        assert_int_equal(read_memory(packed.data, size, &out, 4096, &err), TCS_E_FORMAT);
        assert_non_null(strstr(err.text, "memory: "));
    }
    for (size_t at = 12; at < packed.size; at++) { /* every flipped bit pattern is noticed, or lies in a header field without effect */
        packed.data[at] = (char)(packed.data[at] ^ 0x41);
        tcsi_buffer_clear(&out);
        tcs_status status = read_memory(packed.data, packed.size, &out, 4096, &err);
        if (status == TCS_OK) assert_true(out.size == plain.size && memcmp(out.data, plain.data, plain.size) == 0);
        else assert_true(status == TCS_E_FORMAT && strstr(err.text, "at byte "));
        packed.data[at] = (char)(packed.data[at] ^ 0x41);
    }
    tcsi_buffer twice; /* two members in a row are one stream */
    tcsi_buffer_init(&twice, 1 << 20);
    for (int i = 0; i < 2; i++) assert_ok(tcsi_buffer_append(&twice, packed.data, packed.size, test_err));
    tcsi_buffer_clear(&out);
    assert_ok(read_memory(twice.data, twice.size, &out, 4096, test_err));
    assert_int_equal(out.size, 2 * plain.size);
    assert_ok(tcsi_buffer_append(&twice, "junk", 4, test_err));
    assert_int_equal(read_memory(twice.data, twice.size, &out, 4096, &err), TCS_E_FORMAT);
    for (size_t fail_at = 1;; fail_at++) {
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail_at);
        char bytes[512];
        size_t count;
        tcsi_stream *stream;
        tcs_status status = tcsi_stream_open_memory(packed.data, packed.size, "memory", &stream, &err);
        if (status == TCS_OK) {
            status = tcsi_stream_read(stream, bytes, sizeof bytes, &count, &err);
            tcsi_stream_close(stream);
        }
        tcsi_alloc_stats stats = tcsi_alloc_trace_stats();
        tcsi_alloc_trace_end();
        assert_int_equal(stats.live_count, 0);
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
    }
    tcsi_buffer_deinit(&twice);
    tcsi_buffer_deinit(&plain);
    tcsi_buffer_deinit(&packed);
    tcsi_buffer_deinit(&out);
}

static void test_gzip(void **state)
{
    (void)state;
    check_archive("tests/golden/io/plain.csv.gz");
}

static void test_zstd(void **state)
{
    (void)state;
    check_archive("tests/golden/io/plain.csv.zst");
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    tcs_error err;
    tcsi_stream *stream = NULL;
    assert_int_equal(tcsi_stream_open("/nowhere/at/all.csv", &stream, &err), TCS_E_IO);
    assert_non_null(strstr(err.text, "/nowhere/at/all.csv: cannot be opened: No such file"));
    assert_int_equal(tcsi_stream_open("/tmp", &stream, &err), TCS_E_IO);
    assert_non_null(strstr(err.text, "folder"));
    assert_int_equal(tcsi_stream_open_memory("BZh91AY&SY", 10, "a.csv.bz2", &stream, &err), TCS_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "a.csv.bz2: compressed with bzip2"));
    assert_null(stream);
}

static void test_a_pipe_in_drops(void **state)
{
    (void)state;
    int ends[2], kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_true(kept >= 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
    close(ends[0]);
    assert_int_equal(write(ends[1], "a", 1), 1);
    tcsi_stream *stream = NULL;
    assert_ok(tcsi_stream_open("-", &stream, test_err));
    assert_string_equal(tcsi_stream_name(stream), "standard input");
    char bytes[16];
    size_t count;
    assert_ok(tcsi_stream_peek(stream, "\x93P", bytes, 8, &count, test_err));
    assert_int_equal(count, 1); /* one byte tells; nothing more was waited for */
    assert_int_equal(write(ends[1], "bc", 2), 2);
    assert_ok(tcsi_stream_read(stream, bytes, 16, &count, test_err));
    assert_true(count == 1 && bytes[0] == 'a');
    assert_ok(tcsi_stream_read(stream, bytes, 16, &count, test_err));
    assert_true(count == 2 && bytes[1] == 'c');
    close(ends[1]);
    assert_ok(tcsi_stream_read(stream, bytes, 16, &count, test_err));
    assert_int_equal(count, 0);
    tcsi_stream_close(stream);
    assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    close(kept);
}

TCS_TEST_MAIN(cmocka_unit_test(test_gzip), cmocka_unit_test(test_zstd), cmocka_unit_test(test_files_that_cannot_be_read),
              cmocka_unit_test(test_a_pipe_in_drops))
