/* tests/fuzz/fuzz.h -- what the fuzz targets share.  Each target is one file with one LLVMFuzzerTestOneInput: built with
 * -Dfuzz=true it is linked with libFuzzer, otherwise with replay.c, which runs it over its corpus as a unit test. */
#ifndef TCS_FUZZ_H
#define TCS_FUZZ_H

#include "base/alloc.h"
#include "io/read.h"
#include "io/rows.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What must hold for every input. */
#define FUZZ_REQUIRE(condition)                                                     \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                \
        }                                                                           \
    } while (0)

/* Whole and row by row; a frame must keep its promises, an error its words. */
static inline void fuzz_read(const uint8_t *bytes, size_t size, const tcsi_read_options *options)
{
    tcsi_frame *frame = NULL;
    tcsi_read_report report;
    tcs_error err = { 0 };
    tcs_status status = tcsi_read_frame_memory(bytes, size, "fuzz", options, &frame, &report, &err);
    FUZZ_REQUIRE(status == TCS_OK || (frame == NULL && err.status == status && strlen(err.text) > 5));
    if (status == TCS_OK) {
        FUZZ_REQUIRE(frame->row_count > 0 && frame->row_count == report.row_count && frame->channel_count == report.value_count);
        FUZZ_REQUIRE(frame->channel_count > 0 && (frame->times_ns == NULL) == report.is_tabular);
        for (size_t c = 0; c < frame->channel_count; c++)
            for (size_t r = 0; r < frame->row_count; r++) FUZZ_REQUIRE(!isinf(tcsi_frame_column(frame, c)[r]));
        for (size_t r = 0; frame->labels && r < frame->row_count; r++) FUZZ_REQUIRE(frame->labels[r] <= 1);
        tcsi_buffer text;
        tcsi_json_writer writer;
        tcsi_buffer_init(&text, 1 << 26);
        FUZZ_REQUIRE(tcsi_read_report_print(&report, &text, &err) == TCS_OK);
        tcsi_json_writer_init(&writer, &text, false);
        tcsi_read_report_json(&report, &writer);
        FUZZ_REQUIRE(tcsi_json_finish(&writer, &err) == TCS_OK);
        tcsi_buffer_deinit(&text);
        tcsi_read_report_deinit(&report);
        tcsi_frame_destroy(frame);
    }
    tcsi_read_options few = *options;
    few.sample_row_count = 3;
    tcsi_row_reader *reader;
    if (tcsi_row_reader_open_memory(bytes, size, "fuzz", &few, &reader, &err) != TCS_OK) return;
    tcsi_row row;
    uint8_t label;
    bool end = false;
    for (uint64_t i = 0; !end && tcsi_row_reader_next(reader, &row, &label, &end, &err) == TCS_OK; i++) {
        FUZZ_REQUIRE(end || row.sequence == i);
        for (size_t c = 0; !end && c < tcsi_row_reader_report(reader)->value_count; c++) FUZZ_REQUIRE(!isinf(row.values[c]));
    }
    tcsi_row_reader_close(reader);
}

#endif
