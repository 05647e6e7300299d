/* The quick way of plain cells: its two forms against each other and against bytes looked at one by one, and whole files
 * against strtod, cell for cell and bit for bit. */
#include "test.h"

#include "base/buffer.h"
#include "base/rng.h"
#include "io/number_short.h"
#include "io/read.h"
#include "io/rows.h"

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void test_masks(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    for (int round = 0; round < 3000; round++) {
        char text[64];
        uint64_t others = 0, commas = 0, words_others = 0, words_commas = 0;
        for (int i = 0; i < 64; i++) {
            bool likely = tcsi_rng_below(&rng, 2);
            text[i] = round < 4 ? (char)(round * 64 + i) : likely ? "0123456789,.-/:;"[tcsi_rng_below(&rng, 16)] : (char)tcsi_rng_u32(&rng);
            others |= (uint64_t)!(text[i] >= '0' && text[i] <= '9') << i;
            commas |= (uint64_t)(text[i] == ',') << i;
        }
        for (int i = 0; i < 64; i += 8) {
            words_others |= others_in_word(load_eight(text + i)) << i;
            words_commas |= equals_in_word(load_eight(text + i), ',') << i;
        }
        assert_true(look_for_others(text, 64) == others && words_others == others);
        assert_true(look_for(',', text, 64) == commas && words_commas == commas);
    }
}

static void test_digits_before(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(2, 0);
    for (unsigned size = 2; size <= 16; size++)
        for (unsigned fraction = 0; fraction < size; fraction++)
            for (int round = 0; round < 50; round++) {
                char text[64];
                for (int i = 0; i < 64; i++) text[i] = (char)tcsi_rng_below(&rng, 256); /* what stands around does not matter */
                uint64_t expected = 0;
                for (unsigned i = 0; i < size; i++) {
                    text[32 - size + i] = i == size - fraction - 1 ? '.' : (char)('0' + tcsi_rng_below(&rng, 10));
                    if (i != size - fraction - 1) expected = expected * 10 + (uint64_t)(text[32 - size + i] - '0');
                }
                assert_true(digits_before(text + 32, size, fraction) == expected);
                assert_true(digits_before_portable(text + 32, size, fraction) == expected);
            }
}

/* ---- whole files ---- */

typedef struct shape {
    char delimiter, decimal;
    size_t column_count;
    bool carriage; /* rows end in \r\n */
    bool counts;   /* all cells are short integers */
} shape;

/* One cell, and what it means. */
static double write_cell(const shape *s, tcsi_rng *rng, char *text, size_t size)
{
    size_t kind = s->counts ? 0 : tcsi_rng_below(rng, 14);
    double value = tcsi_rng_normal(rng) * pow(10, (double)tcsi_rng_below(rng, 7));
    uint64_t integer = tcsi_rng_u64(rng) >> tcsi_rng_below(rng, 64);
    switch (kind) {
    case 0: snprintf(text, size, "%u", (unsigned)tcsi_rng_below(rng, 100000000)); break;
    case 1: snprintf(text, size, "%s%llu", tcsi_rng_below(rng, 2) ? "-" : "", (unsigned long long)integer); break;
    case 2: snprintf(text, size, "%.6g", value); break;
    case 3: snprintf(text, size, "%.17g", value); break;
    case 4: snprintf(text, size, "%.*f", (int)tcsi_rng_below(rng, 18), value); break;
    case 5: snprintf(text, size, "%.*e", (int)tcsi_rng_below(rng, 20), value * 1e-200); break;
    case 6: snprintf(text, size, "%s%.3f", tcsi_rng_below(rng, 2) ? "+" : "   ", fabs(value)); break;
    case 7: snprintf(text, size, "%050d%llu", 0, (unsigned long long)integer); break; /* longer than a look now and then */
    case 8: snprintf(text, size, "%s.%u", tcsi_rng_below(rng, 2) ? "-" : "", (unsigned)tcsi_rng_below(rng, 1000)); break;
    case 9: snprintf(text, size, "%llu.", (unsigned long long)(integer & 0xFFFFFF)); break;
    case 10: snprintf(text, size, "-0"); break;
    case 11: snprintf(text, size, "%s", tcsi_rng_below(rng, 2) ? "" : "NA"); return NAN;
    case 12: snprintf(text, size, "\"%.4f\"", value); break;
    default: snprintf(text, size, "%.4f ", value); break;
    }
    double expected = strtod(text + (*text == '"'), NULL);
    for (char *c = text; *c; c++)
        if (*c == '.') *c = s->decimal;
    return expected;
}

static void write_table(const shape *s, size_t row_count, tcsi_rng *rng, tcsi_buffer *out, double *values)
{
    char cell[128];
    for (size_t r = 0; r < row_count; r++)
        for (size_t c = 0; c < s->column_count; c++) {
            values[r * s->column_count + c] = write_cell(s, rng, cell, sizeof cell);
            assert_ok(tcsi_buffer_puts(out, cell, NULL));
            if (s->column_count == 1 && !*cell) assert_ok(tcsi_buffer_puts(out, "nan", NULL)); /* or the line would be blank */
            char ends[3] = { c + 1 < s->column_count ? s->delimiter : s->carriage ? '\r' : '\n', 0, 0 };
            if (*ends == '\r') ends[1] = '\n';
            assert_ok(tcsi_buffer_puts(out, ends, NULL));
        }
}

static void check_rows(const tcsi_buffer *text, const tcsi_read_options *options, const double *values, size_t row_count)
{
    tcsi_row_reader *reader = NULL;
    tcs_error err = { 0 };
    tcsi_row row;
    uint8_t label;
    bool end = false;
    assert_ok(tcsi_row_reader_open_memory(text->data, text->size, "t.csv", options, &reader, &err));
    size_t width = tcsi_row_reader_report(reader)->value_count;
    for (size_t r = 0; r < row_count; r++) {
        assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, &err));
        assert_false(end);
        for (size_t c = 0; c < width; c++) {
            double expected = values[r * width + c];
            assert_true(isnan(expected) ? isnan(row.values[c]) : bits_of(row.values[c]) == bits_of(expected));
        }
    }
    assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, &err));
    assert_true(end);
    tcsi_row_reader_close(reader);
}

static void check_frame(const tcsi_buffer *text, const tcsi_read_options *options, const double *values, size_t row_count, size_t width)
{
    tcsi_frame *frame = NULL;
    tcs_error err = { 0 };
    assert_ok(tcsi_read_frame_memory(text->data, text->size, "t.csv", options, &frame, NULL, &err));
    assert_int_equal(frame->row_count, row_count);
    assert_int_equal(frame->channel_count, width);
    for (size_t r = 0; r < row_count; r++)
        for (size_t c = 0; c < width; c++) {
            double expected = values[r * width + c], got = tcsi_frame_column(frame, c)[r];
            if (isnan(expected) ? isnan(got) : bits_of(got) == bits_of(expected)) continue;
            print_error("row %zu, column %zu: %.17g, expected %.17g\n", r, c, got, expected);
            fail();
        }
    tcsi_frame_destroy(frame);
}

static void test_files_against_strtod(void **state)
{
    (void)state;
    static const shape shapes[] = {
        { ',', '.', 1, false, false },  { ',', '.', 1, false, true },  { ',', '.', 1, true, false }, { ',', '.', 2, false, false },
        { ';', ',', 3, false, false },  { '\t', '.', 7, true, false }, { '|', '.', 8, false, true }, { ',', '.', 64, false, false },
        { ',', '.', 500, true, false }, { ';', ',', 5, true, true },
    };
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t i = 0; i < TCS_COUNT(shapes); i++) {
        const shape *s = &shapes[i];
        size_t row_count = (test_is_small() ? 2000 : 200000) / s->column_count + 30;
        double *values = malloc(row_count * s->column_count * sizeof *values);
        tcsi_buffer text;
        tcsi_buffer_init(&text, 1 << 28);
        assert_non_null(values);
        write_table(s, row_count, &rng, &text, values);
        tcsi_read_options options = { .header = TCSI_CHOICE_NO, .delimiter = s->delimiter, .decimal = s->decimal, .time_name = "",
                                      .as_series = true };
        check_frame(&text, &options, values, row_count, s->column_count);
        check_rows(&text, &options, values, row_count);
        options.skip_ragged = true; /* row by row, then */
        check_frame(&text, &options, values, row_count, s->column_count);
        tcsi_buffer_deinit(&text);
        free(values);
    }
}

/* A bad row among many good ones is found with its line, whatever of it was plain. */
static void test_bad_rows(void **state)
{
    (void)state;
    static const struct {
        const char *row, *expected;
    } bad[] = {
        { "1,2", "2 columns, expected 3" }, { "1,2,3,4", "4 columns, expected 3" }, { "1,2,3,,", "5 columns, expected 3" },
        { "1", "1 columns, expected 3" }, { "1,\"2\",3\"", NULL }, { "1,2,\"3", "a quote opened in this row is never closed" },
        { "1,2,3,", NULL }, { "1,2,1 234", "thousands separators" },
    };
    for (size_t i = 0; i < TCS_COUNT(bad); i++)
        for (size_t before = 2; before < 200; before += 39) {
            tcsi_buffer text;
            tcsi_frame *frame = NULL;
            tcs_error err = { 0 };
            char expected[128];
            tcsi_buffer_init(&text, 1 << 20);
            const char *good = before % 2 ? "%zu,%zu,7\n" : "%zu,-%zu.5,7\n";
            for (size_t r = 0; r < before; r++) assert_ok(tcsi_buffer_printf(&text, NULL, good, r * r, r));
            assert_ok(tcsi_buffer_printf(&text, NULL, "%s\n10,20,30\n", bad[i].row));
            tcsi_read_options options = { .header = TCSI_CHOICE_NO, .delimiter = ',' };
            tcs_status status = tcsi_read_frame_memory(text.data, text.size, "t.csv", &options, &frame, NULL, &err);
            snprintf(expected, sizeof expected, "t.csv:%zu:", before + 1);
            if (!bad[i].expected) {
                assert_ok(status);
                assert_int_equal(frame->row_count, before + 2);
            } else if (status != TCS_E_FORMAT || !strstr(err.text, expected) || !strstr(err.text, bad[i].expected)) {
                print_error("'%s' after %zu rows: %s\n", bad[i].row, before, err.text);
                fail();
            }
            tcsi_frame_destroy(frame);
            tcsi_buffer_deinit(&text);
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_masks), cmocka_unit_test(test_digits_before), cmocka_unit_test(test_files_against_strtod),
              cmocka_unit_test(test_bad_rows))
