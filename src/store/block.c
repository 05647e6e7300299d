/* store/block.c -- columns of numbers as bits.
 *
 * Two ideas, of which each column takes the shorter:
 *
 *   integers  Times are whole numbers of seconds, milliseconds, ...; many readings have few decimals (A. Afroozeh, P. Boncz: ALP: Adaptive
 *             Lossless floating-Point Compression, SIGMOD 2023).  So numbers become x * 10^e where that gives back the same bits; what
 *             does not (NaN, say) is kept beside, as an exception.  Then differences, or differences of differences, zigzag, and in
 *             groups of GROUP all in the width of the widest.  An even cadence costs one byte in 32 rows.
 *   xor       Neighbours differ in few bits: each is kept as what differs, within a window of bits that stays while it fits (T. Pelkonen et
 *             al.: Gorilla, VLDB 2015, section 4.1.2).
 *
 *     block:     u8 'b'  u8 1 (version)  u8 columns of doubles  u8 of floats  u32 rows  then columns: times, doubles, floats
 *     column:    u8 kind (0 integers, 1 xor)  then
 *     integers:  i8 exponent  u8 order (1, 2)  u16 exceptions  each u16 row, u64 bits;  then bits: 64 of the first number and, for order 2,
 *                64 of the first difference; groups: 7 of the width, GROUP numbers of that width (the last group may have fewer)
 *     xor:       bits: all of the first number; then 0: the same; 10: within the window; 11: leading zeros (6), length - 1 (6), then those
 *
 * All little-endian, bits from the lowest; each column ends at a whole byte.  Differences wrap: every 64-bit number is kept.
 * A block has no seal of its own: the store seals it together with its place.
 * Cost: each number is looked at about six times on the way in (the widths of both orders), once on the way out.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/block.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { HEADER_SIZE = 8, GROUP = 32, EXPONENT_MAX = 9, SAMPLE_COUNT = 32, INTEGERS = 0, XOR = 1 };
/* The most that a column can take: xor at 78 bits a number; exceptions are allowed only where they are shorter. */
enum { NUMBER_SIZE_MAX = 10, COLUMN_SIZE_EXTRA = 64 };

static const double powers[EXPONENT_MAX + 1] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9 };
static const int64_t units[EXPONENT_MAX + 1] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000 };

/* ---- bits ---- */

typedef struct bit_writer {
    unsigned char *at;
    uint64_t word;
    int used; /* bits of word */
} bit_writer;

static void put_word(unsigned char *at, uint64_t word, int size)
{
    for (int b = 0; b < size; b++) at[b] = (unsigned char)(word >> (8 * b));
}

static uint64_t get_word(const unsigned char *at, int size)
{
    uint64_t word = 0;
    for (int b = 0; b < size; b++) word |= (uint64_t)at[b] << (8 * b);
    return word;
}

/* count: 0..64; bits above it must be 0. */
static void put_bits(bit_writer *out, uint64_t bits, int count)
{
    if (count == 0) return;
    out->word |= bits << out->used;
    if (out->used + count < 64) {
        out->used += count;
        return;
    }
    put_word(out->at, out->word, 8);
    out->at += 8;
    const int spilt = out->used + count - 64, written = count - spilt;
    out->word = written < 64 ? bits >> written : 0;
    out->used = spilt;
}

static unsigned char *end_bits(bit_writer *out)
{
    const int size = (out->used + 7) / 8;
    put_word(out->at, out->word, size);
    return out->at + size;
}

typedef struct bit_reader {
    const unsigned char *at, *end;
    int used;      /* bits of *at that were read */
    bool overrun;
} bit_reader;

static uint64_t get_bits(bit_reader *in, int count)
{
    uint64_t bits = 0;
    const size_t left = (size_t)(in->end - in->at);
    if (count == 0) return 0;
    if ((size_t)(in->used + count + 7) / 8 > left) {
        in->overrun = true;
        return 0;
    }
    bits = get_word(in->at, left < 8 ? (int)left : 8) >> in->used;
    if (in->used + count > 64) bits |= (uint64_t)in->at[8] << (64 - in->used);
    in->at += (in->used + count) / 8;
    in->used = (in->used + count) % 8;
    return count < 64 ? bits & ((UINT64_C(1) << count) - 1) : bits;
}

/* The next whole byte; bits between must be 0, so that there is one way to write a block. */
static const unsigned char *end_reading(bit_reader *in)
{
    if (in->used > 0 && get_bits(in, 8 - in->used) != 0) in->overrun = true;
    return in->at;
}

static int width_of(uint64_t number)
{
    return number ? 64 - __builtin_clzll(number) : 0;
}

/* ---- integers ---- */

static uint64_t zigzag(uint64_t difference)
{
    return difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t unzigzag(uint64_t number)
{
    return number >> 1 ^ (number & 1 ? UINT64_MAX : 0);
}

/* The differences of an order that is written, for rows order..row_count - 1; in place of them zigzag. */
static uint64_t difference_at(const uint64_t *numbers, size_t row, int order)
{
    const uint64_t first = numbers[row] - numbers[row - 1];
    return zigzag(order == 1 ? first : first - (numbers[row - 1] - numbers[row - 2]));
}

static int group_width(const uint64_t *numbers, size_t begin, size_t end, int order)
{
    uint64_t all = 0;
    for (size_t i = begin; i < end; i++) all |= difference_at(numbers, i, order);
    return width_of(all);
}

/* Bits that groups of this order take. */
static size_t size_of_order(const uint64_t *numbers, size_t row_count, int order)
{
    size_t bits = order == 2 ? 64 : 0;
    for (size_t at = (size_t)order; at < row_count; at += GROUP) {
        const size_t end = at + GROUP < row_count ? at + GROUP : row_count;
        bits += 7 + (end - at) * (size_t)group_width(numbers, at, end, order);
    }
    return bits;
}

static void write_groups(bit_writer *out, const uint64_t *numbers, size_t row_count, int order)
{
    put_bits(out, numbers[0], 64);
    if (order == 2) put_bits(out, numbers[1] - numbers[0], 64);
    for (size_t at = (size_t)order; at < row_count; at += GROUP) {
        const size_t end = at + GROUP < row_count ? at + GROUP : row_count;
        const int width = group_width(numbers, at, end, order);
        put_bits(out, (uint64_t)width, 7);
        for (size_t i = at; i < end; i++) put_bits(out, difference_at(numbers, i, order), width);
    }
}

static bool read_groups(bit_reader *in, uint64_t *numbers, size_t row_count, int order)
{
    uint64_t difference = 0;
    numbers[0] = get_bits(in, 64);
    if (order == 2) {
        difference = get_bits(in, 64);
        if (row_count < 2) return false;
        numbers[1] = numbers[0] + difference;
    }
    for (size_t at = (size_t)order; at < row_count && !in->overrun; at += GROUP) {
        const size_t end = at + GROUP < row_count ? at + GROUP : row_count;
        const int width = (int)get_bits(in, 7);
        if (width > 64) return false;
        for (size_t i = at; i < end; i++) {
            const uint64_t number = unzigzag(get_bits(in, width));
            difference = order == 1 ? number : difference + number;
            numbers[i] = numbers[i - 1] + difference;
        }
    }
    return !in->overrun;
}

/* ---- a column being written ---- */

typedef struct exception {
    uint16_t row;
    uint64_t bits;
} exception;

typedef struct column {
    size_t row_count;
    int bit_count;           /* of a number: 64, 32 */
    const uint64_t *bits;    /* (row_count) the numbers as they are */
    uint64_t *integers;      /* (row_count) scratch */
    exception *exceptions;   /* (row_count) scratch */
    size_t exception_count;
    int exponent;            /* of ten: numbers are integers / 10^exponent; of times: integers * 10^exponent */
} column;

static double double_of(uint64_t bits, int bit_count)
{
    double number;
    float narrow;
    const uint32_t low = (uint32_t)bits;
    if (bit_count == 64) memcpy(&number, &bits, sizeof number);
    else memcpy(&narrow, &low, sizeof narrow), number = (double)narrow;
    return number;
}

static uint64_t bits_of(double number, int bit_count)
{
    uint64_t bits = 0;
    uint32_t low;
    const float narrow = (float)number;
    if (bit_count == 64) return memcpy(&bits, &number, sizeof bits), bits;
    memcpy(&low, &narrow, sizeof low);
    return low;
}

/* bits as an integer / 10^exponent, if that is just what it is. */
static bool as_integer(uint64_t bits, int bit_count, int exponent, uint64_t *ret_integer)
{
    const double scaled = double_of(bits, bit_count) * powers[exponent];
    if (!(fabs(scaled) <= 9007199254740992.0)) return false; /* 2^53; NaN fails too */
    const int64_t integer = (int64_t)rint(scaled);
    *ret_integer = (uint64_t)integer;
    return bits_of((double)integer / powers[exponent], bit_count) == bits;
}

/* The least exponent with which most of a sample are integers; -1: none. */
static int choose_exponent(const column *c)
{
    const size_t step = c->row_count / SAMPLE_COUNT + 1;
    for (int e = 0; e <= EXPONENT_MAX; e++) {
        size_t good = 0, seen = 0;
        uint64_t ignored;
        for (size_t i = 0; i < c->row_count; i += step, seen++) good += as_integer(c->bits[i], c->bit_count, e, &ignored);
        if (good * 4 >= seen * 3) return e;
    }
    return -1;
}

/* false: it is not worth it. */
static bool make_integers(column *c)
{
    c->exception_count = 0;
    c->exponent = choose_exponent(c);
    if (c->exponent < 0) return false;
    for (size_t i = 0; i < c->row_count; i++) {
        if (as_integer(c->bits[i], c->bit_count, c->exponent, &c->integers[i])) continue;
        c->exceptions[c->exception_count++] = (exception){ (uint16_t)i, c->bits[i] };
        c->integers[i] = i ? c->integers[i - 1] : 0; /* the cheapest to write */
    }
    return c->exception_count <= c->row_count / 2;
}

/* Times: the largest unit that all are multiples of. */
static void make_times(column *c)
{
    c->exponent = EXPONENT_MAX;
    for (size_t i = 0; i < c->row_count; i++)
        while ((int64_t)c->bits[i] % units[c->exponent] != 0) c->exponent--;
    for (size_t i = 0; i < c->row_count; i++) c->integers[i] = (uint64_t)((int64_t)c->bits[i] / units[c->exponent]);
}

static int choose_order(const column *c, size_t *ret_bits)
{
    const size_t first = size_of_order(c->integers, c->row_count, 1);
    const size_t second = c->row_count > 2 ? size_of_order(c->integers, c->row_count, 2) : SIZE_MAX;
    *ret_bits = (first <= second ? first : second) + 64;
    return first <= second ? 1 : 2;
}

static unsigned char *write_integers(unsigned char *at, const column *c, int order)
{
    *at++ = INTEGERS;
    *at++ = (unsigned char)c->exponent;
    *at++ = (unsigned char)order;
    put_word(at, c->exception_count, 2);
    at += 2;
    for (size_t i = 0; i < c->exception_count; i++, at += 10) {
        put_word(at, c->exceptions[i].row, 2);
        put_word(at + 2, c->exceptions[i].bits, 8);
    }
    bit_writer out = { .at = at };
    write_groups(&out, c->integers, c->row_count, order);
    return end_bits(&out);
}

/* ---- xor ---- */

typedef struct window {
    int leading, length; /* zeros above, and bits that may differ; length 0: no window yet */
} window;

/* What each step costs, by the same walk that writes it: NULL out only counts. */
static size_t write_xors(bit_writer *out, const column *c)
{
    window w = { 0 };
    size_t bits = (size_t)c->bit_count;
    if (out) put_bits(out, c->bits[0], c->bit_count);
    for (size_t i = 1; i < c->row_count; i++) {
        const uint64_t x = c->bits[i] ^ c->bits[i - 1];
        if (x == 0) {
            if (out) put_bits(out, 0, 1);
            bits += 1;
            continue;
        }
        const int leading = c->bit_count - width_of(x), trailing = __builtin_ctzll(x), length = c->bit_count - leading - trailing;
        const int below = c->bit_count - w.leading - w.length;
        const bool fits = w.length > 0 && leading >= w.leading && trailing >= below && w.length < length + 12;
        if (!fits) w = (window){ leading, length };
        if (out && !fits) put_bits(out, 3 | (uint64_t)leading << 2 | (uint64_t)(length - 1) << 8, 14);
        if (out && fits) put_bits(out, 1, 2);
        if (out) put_bits(out, x >> (c->bit_count - w.leading - w.length), w.length);
        bits += (size_t)(fits ? 2 : 14) + (size_t)w.length;
    }
    return bits;
}

static bool read_xors(bit_reader *in, uint64_t *bits, size_t row_count, int bit_count)
{
    window w = { 0 };
    bits[0] = get_bits(in, bit_count);
    for (size_t i = 1; i < row_count && !in->overrun; i++) {
        bits[i] = bits[i - 1];
        if (get_bits(in, 1) == 0) continue;
        if (get_bits(in, 1) == 1) {
            w.leading = (int)get_bits(in, 6);
            w.length = (int)get_bits(in, 6) + 1;
        }
        if (w.length == 0 || w.leading + w.length > bit_count) return false;
        bits[i] ^= get_bits(in, w.length) << (bit_count - w.leading - w.length);
    }
    return !in->overrun;
}

/* ---- columns ---- */

static unsigned char *write_numbers(unsigned char *at, column *c)
{
    size_t integer_bits = 0;
    const size_t xor_bits = write_xors(NULL, c);
    if (make_integers(c)) {
        const int order = choose_order(c, &integer_bits);
        if (integer_bits + 8 * (4 + 10 * c->exception_count) <= xor_bits) return write_integers(at, c, order);
    }
    *at++ = XOR;
    bit_writer out = { .at = at };
    (void)write_xors(&out, c);
    return end_bits(&out);
}

static unsigned char *write_times(unsigned char *at, column *c)
{
    size_t ignored;
    c->exception_count = 0;
    make_times(c);
    return write_integers(at, c, choose_order(c, &ignored));
}

/* What a column of integers says about itself. */
typedef struct integers_head {
    int exponent, order;
    size_t exception_count;
    const unsigned char *exceptions;
} integers_head;

static bool read_head(const unsigned char **at, const unsigned char *end, size_t row_count, integers_head *ret_head)
{
    if (end - *at < 4) return false;
    const integers_head head = { (*at)[0], (*at)[1], (size_t)get_word(*at + 2, 2), *at + 4 };
    *at += 4;
    if (head.exponent > EXPONENT_MAX || (head.order != 1 && head.order != 2) || head.exception_count > row_count) return false;
    if ((size_t)(end - *at) < head.exception_count * 10) return false;
    *at += head.exception_count * 10;
    *ret_head = head;
    return true;
}

static bool read_numbers(const unsigned char **at, const unsigned char *end, uint64_t *bits, size_t row_count, int bit_count)
{
    integers_head head = { 0 };
    if (end - *at < 1) return false;
    const int kind = *(*at)++;
    if (kind != INTEGERS && kind != XOR) return false;
    if (kind == INTEGERS && !read_head(at, end, row_count, &head)) return false;
    bit_reader in = { .at = *at, .end = end };
    const bool good = kind == XOR ? read_xors(&in, bits, row_count, bit_count) : read_groups(&in, bits, row_count, head.order);
    *at = end_reading(&in);
    if (!good || in.overrun) return false;
    for (size_t i = 0; kind == INTEGERS && i < row_count; i++)
        bits[i] = bits_of((double)(int64_t)bits[i] / powers[head.exponent], bit_count);
    for (size_t i = 0; i < head.exception_count; i++) {
        const size_t row = (size_t)get_word(head.exceptions + 10 * i, 2);
        if (row >= row_count) return false;
        bits[row] = get_word(head.exceptions + 10 * i + 2, 8);
    }
    return true;
}

static bool read_times(const unsigned char **at, const unsigned char *end, int64_t *times, size_t row_count, uint64_t *scratch)
{
    integers_head head;
    if (end - *at < 1 || *(*at)++ != INTEGERS || !read_head(at, end, row_count, &head) || head.exception_count > 0) return false;
    bit_reader in = { .at = *at, .end = end };
    const bool good = read_groups(&in, scratch, row_count, head.order);
    *at = end_reading(&in);
    if (!good || in.overrun) return false;
    const uint64_t unit = (uint64_t)units[head.exponent]; /* unsigned: hostile bytes wrap rather than overflow */
    for (size_t i = 0; i < row_count; i++) times[i] = (int64_t)(scratch[i] * unit);
    return true;
}

/* ---- blocks ---- */

tcs_status tcsi_block_encode(tcsi_block_shape shape, const int64_t *times_ns, const double *const *values, const float *const *scores,
                             tcsi_buffer *out, tcs_error *err)
{
    const size_t n = shape.row_count, columns = 1 + shape.value_count + shape.score_count;
    if (n == 0 || n > TCSI_BLOCK_ROW_MAX || shape.value_count > TCSI_BLOCK_COLUMN_MAX || shape.score_count > TCSI_BLOCK_COLUMN_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "a block holds 1 to %d rows and up to %d columns of each kind, not %zu, %zu and %zu",
                         TCSI_BLOCK_ROW_MAX, TCSI_BLOCK_COLUMN_MAX, n, shape.value_count, shape.score_count);
    tcs_status status = tcsi_buffer_reserve(out, HEADER_SIZE + columns * (n * NUMBER_SIZE_MAX + COLUMN_SIZE_EXTRA), err);
    if (status != TCS_OK) return status;
    uint64_t *scratch = TCSI_NEW_ARRAY(uint64_t, 2 * n);
    exception *exceptions = TCSI_NEW_ARRAY(exception, n);
    if (!scratch || !exceptions) status = tcsi_fail_memory(err, "encoding a block");
    column c = { .row_count = n, .bit_count = 64, .bits = scratch, .integers = scratch ? scratch + n : NULL, .exceptions = exceptions };
    unsigned char *begin = (unsigned char *)out->data + out->size, *at = begin + HEADER_SIZE;
    if (status == TCS_OK) {
        begin[0] = 'b', begin[1] = 1, begin[2] = (unsigned char)shape.value_count, begin[3] = (unsigned char)shape.score_count;
        put_word(begin + 4, n, 4);
        memcpy(scratch, times_ns, n * sizeof *scratch);
        at = write_times(at, &c);
        for (size_t v = 0; v < shape.value_count; v++) {
            memcpy(scratch, values[v], n * sizeof *scratch);
            at = write_numbers(at, &c);
        }
        c.bit_count = 32;
        for (size_t s = 0; s < shape.score_count; s++) {
            uint32_t bits;
            for (size_t i = 0; i < n; i++) memcpy(&bits, &scores[s][i], sizeof bits), scratch[i] = bits;
            at = write_numbers(at, &c);
        }
        out->size += (size_t)(at - begin);
    }
    tcsi_free(scratch);
    tcsi_free(exceptions);
    return status;
}

tcs_status tcsi_block_shape_read(const void *bytes, size_t size, tcsi_block_shape *ret_shape, tcs_error *err)
{
    const unsigned char *at = bytes;
    if (size < HEADER_SIZE || at[0] != 'b' || at[1] != 1) return tcsi_fail(err, TCS_E_FORMAT, "these bytes are no block of rows");
    const tcsi_block_shape shape = { (size_t)get_word(at + 4, 4), at[2], at[3] };
    if (shape.row_count == 0 || shape.row_count > TCSI_BLOCK_ROW_MAX || shape.value_count > TCSI_BLOCK_COLUMN_MAX ||
        shape.score_count > TCSI_BLOCK_COLUMN_MAX)
        return tcsi_fail(err, TCS_E_FORMAT, "a block of rows is damaged: it says that it has %zu rows", shape.row_count);
    *ret_shape = shape;
    return TCS_OK;
}

tcs_status tcsi_block_decode(const void *bytes, size_t size, int64_t *ret_times_ns, double *const *ret_values, float *const *ret_scores,
                             tcs_error *err)
{
    tcsi_block_shape shape;
    tcs_status status = tcsi_block_shape_read(bytes, size, &shape, err);
    if (status != TCS_OK) return status;
    const size_t n = shape.row_count;
    const unsigned char *at = (const unsigned char *)bytes + HEADER_SIZE, *end = (const unsigned char *)bytes + size;
    uint64_t *bits = TCSI_NEW_ARRAY(uint64_t, n);
    if (!bits) return tcsi_fail_memory(err, "decoding a block");
    bool good = read_times(&at, end, ret_times_ns, n, bits);
    for (size_t v = 0; v < shape.value_count && good; v++) {
        good = read_numbers(&at, end, bits, n, 64);
        if (good) memcpy(ret_values[v], bits, n * sizeof *bits);
    }
    for (size_t s = 0; s < shape.score_count && good; s++) {
        good = read_numbers(&at, end, bits, n, 32);
        for (size_t i = 0; good && i < n; i++) {
            const uint32_t narrow = (uint32_t)bits[i];
            memcpy(&ret_scores[s][i], &narrow, sizeof narrow);
        }
    }
    tcsi_free(bits);
    return good && at == end ? TCS_OK : tcsi_fail(err, TCS_E_FORMAT, "a block of rows is damaged");
}
