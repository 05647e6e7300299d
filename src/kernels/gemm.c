/* kernels/gemm.c -- cuts a matrix product into strips that a tier's inner loops (gemm_lanes.h) walk.
 *
 * From the outside in: blocks of C for the threads of a pool; in a block, some rows of C at a time, so that their part of A stays in
 * the second cache level; in these, stretches of the inner index p, where it is long; in these, strips as wide as the registers
 * hold.  A stretch but the first begins where the one before it left C: a store and a load change no bit, so every element is
 * the one chain of gemm.h, however it is cut.
 *
 * Only a transposed B is copied, because lanes run along columns of C and want them side by side: one strip and stretch at a time, on the
 * stack.  Operands that are rounded (kernels/precision.h) are packed there: B likewise, A for the rows and the stretch in use.  A product
 * with a residual whose inner index is cut keeps its unfinished sums on the stack as well: the residual may be C.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm_cells.h"
#include "kernels/vector.h"

#include <math.h>

enum {
    STRETCH = TCSI_GEMM_STRETCH,      /* values of p at once */
    STRETCH_TRANSPOSED = 256,         /* where A or B is transposed */
    STRETCH_PACKED = 256,             /* cells of packed operands; half as many where A is transposed, for twice as many rows */
    COPY_COUNT = 16384,               /* floats of B copied at once: 64 KiB of stack */
    A_COUNT = 131072,                 /* floats of A in use at once: 512 KiB of the second cache level */
    B_NEAR = 65536,                   /* floats of B that stay in the second cache level: 256 KiB */
    B_AHEAD = 4,                      /* rows of B */
    ROW_UNIT = 24,                    /* rows are cut in multiples of it: whole tiles of 8, 6 or 4 */
    ROW_UNIT_PACKED = 8,              /* the same where A is packed */
    ROWS_MIN = 2 * ROW_UNIT,
    ROWS_MAX = 10 * ROW_UNIT,
    COLUMN_ROWS = 8,                  /* a single column of at least so many rows is taken as a row */
    PARTIAL_ROWS = 2 * ROW_UNIT,      /* of unfinished sums on the stack */
    PARTIAL_COLUMNS = 64,
    POOL_WORK = 1 << 21,              /* multiply-adds from which on a pool is woken, which costs it microseconds */
    TASK_WORK = 1 << 18,              /* multiply-adds of a task, or more */
    TASKS_MAX = 32,
    TASK_ROW_UNIT = 8, TASK_COLUMNS = 64, /* blocks are multiples of these */
    TASK_ROWS = 16,                   /* and have at least so many rows; */
    TASK_ROWS_COPYING = 64,           /* so many where each task copies B for itself */
};

static const tcsi_gemm_ops *ops_for(tcsi_isa isa, tcsi_precision precision)
{
#if defined(__x86_64__)
    if (precision == TCSI_PRECISION_BFLOAT16 && tcsi_isa_has_bfloat16(isa)) return &tcsi_gemm_ops_bfloat16_avx512;
    if (isa == TCSI_ISA_AVX512) return &tcsi_gemm_ops_avx512;
    if (isa == TCSI_ISA_AVX2) return &tcsi_gemm_ops_avx2;
#endif
    (void)precision;
    return &tcsi_gemm_ops_portable;
}

static const tcsi_gemm_packing *packing_of(const tcsi_gemm_ops *ops)
{
    return ops->packing ? ops->packing : &tcsi_gemm_rounding;
}

/* How operands are to be packed; NULL: not. */
static const tcsi_gemm_packing *packing_for(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm)
{
    return gemm->precision == TCSI_PRECISION_SINGLE || gemm->is_packed ? NULL : packing_of(ops);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The part of a product in rows [row, row + m) and columns [column, column + n) of C.  Rows of a transposed A that has taps must
 * belong to one of them, and then have none. */
static tcsi_gemm part_of(const tcsi_gemm *gemm, size_t row, size_t m, size_t column, size_t n)
{
    tcsi_gemm part = *gemm;
    part.m = m;
    part.n = n;
    if (!gemm->a_transposed) part.a += row * gemm->a_stride;
    else if (gemm->tap_count <= 1) part.a += row;
    else {
        const size_t channels = gemm->m / gemm->tap_count;
        part.a += row / channels * gemm->tap_stride + row % channels;
        part.tap_count = 0;
    }
    part.b += gemm->b_transposed ? column * gemm->b_stride : column;
    part.c += row * gemm->c_stride + column;
    if (gemm->bias) part.bias += column;
    if (gemm->residual) part.residual += row * gemm->residual_stride + column;
    return part;
}

/* All rows of a strip, in tiles that differ by at most one row. */
static void strip_run(const tcsi_gemm_strip *strip, size_t m, const tcsi_gemm_tile *tiles, size_t rows_max)
{
    if (m <= rows_max) {
        tiles[m - 1](strip, 0);
        return;
    }
    const size_t count = (m + rows_max - 1) / rows_max, rows = m / count;
    size_t larger_count = m % count;
    for (size_t row = 0; row < m;) {
        const size_t more = larger_count > 0;
        tiles[rows + more - 1](strip, row);
        larger_count -= more;
        row += rows + more;
    }
}

/* As many columns as one strip takes; returns how many.  Strips are as wide as can be, the last two alike; what is less than a
 * register comes last. */
static size_t strip_columns(const tcsi_gemm_ops *ops, size_t left, size_t widest)
{
    const size_t registers = left >> ops->lane_bits;
    if (registers == 0) return left;
    const size_t width = registers <= widest ? registers : registers < 2 * widest ? registers - registers / 2 : widest;
    return width << ops->lane_bits;
}

static const tcsi_gemm_tiles *tiles_for(const tcsi_gemm_ops *ops, size_t columns)
{
    if (ops->narrow && columns <= (size_t)1 << ops->narrow->lane_bits) ops = ops->narrow;
    const size_t width = columns >> ops->lane_bits;
    return width > 0 ? &ops->tiles[width - 1] : &ops->part;
}

static void strip_advance(tcsi_gemm_strip *strip)
{
    strip->c += strip->columns;
    if (strip->start) strip->start += strip->columns;
    if (strip->residual) strip->residual += strip->columns;
}

/* All columns of some rows, by a strip prepared for the first of them. */
static void rows_run(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm, size_t m, tcsi_gemm_strip *strip)
{
    const bool is_row = gemm->m == 1 && !gemm->a_transposed, is_far = strip->k * gemm->n > B_NEAR;
    for (size_t left = gemm->n; left > 0; left -= strip->columns) {
        strip->columns = strip_columns(ops, left, is_row ? ops->widest_row : ops->widest);
        strip->b_ahead = is_far ? strip->columns : B_AHEAD * strip->b_stride; /* the next strip, or soon */
        if (is_row && left >> ops->lane_bits) ops->row[(strip->columns >> ops->lane_bits) - 1](strip, 0);
        else {
            const tcsi_gemm_tiles *tiles = tiles_for(ops, strip->columns);
            strip_run(strip, m, gemm->a_transposed ? tiles->transposed : tiles->straight, tiles->rows);
        }
        strip->b += strip->columns;
        strip_advance(strip);
    }
}

/* The same for a transposed B, of which strip->b is the first row that counts. */
static void rows_run_transposed(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm, size_t m, tcsi_gemm_strip strip)
{
    float copy[COPY_COUNT];
    const float *b = strip.b;
    strip.b = copy;
    for (size_t left = gemm->n; left > 0; left -= strip.columns) {
        strip.columns = strip.b_stride = strip_columns(ops, left, ops->widest);
        strip.b_ahead = B_AHEAD * strip.b_stride;
        TCS_ASSERT(strip.columns * strip.k <= COPY_COUNT);
        ops->transpose(strip.k, strip.columns, b, gemm->b_stride, copy, strip.b_stride);
        const tcsi_gemm_tiles *tiles = tiles_for(ops, strip.columns);
        strip_run(&strip, m, gemm->a_transposed ? tiles->transposed : tiles->straight, tiles->rows);
        b += strip.columns * gemm->b_stride;
        strip_advance(&strip);
    }
}

/* The same for operands that are packed: those of rows [row, row + m), over p in [begin, begin + strip.k). */
static void rows_run_packed(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm, size_t row, size_t m, size_t begin, tcsi_gemm_strip strip)
{
    const tcsi_gemm_packing *packing = packing_for(ops, gemm);
    const size_t count = strip.k, cells = (count + packing->cell - 1) / packing->cell;
    _Alignas(64) float a[COPY_COUNT], b[COPY_COUNT];
    TCS_ASSERT(m * cells <= COPY_COUNT);
    tcsi_gemm_pack_a(packing, gemm, row, m, begin, count, a);
    strip.k = strip.tap_size = cells;
    strip.tap_begin = 0;
    strip.a = a;
    strip.a_stride = gemm->a_transposed ? m : cells;
    strip.b = b;
    for (size_t column = 0; column < gemm->n; column += strip.columns) {
        strip.columns = strip.b_stride = strip_columns(ops, gemm->n - column, ops->widest);
        strip.b_ahead = B_AHEAD * strip.b_stride;
        TCS_ASSERT(strip.columns * cells <= COPY_COUNT);
        tcsi_gemm_pack_b(packing, ops->isa, gemm, column, strip.columns, begin, count, b);
        const tcsi_gemm_tiles *tiles = tiles_for(ops, strip.columns);
        strip_run(&strip, m, gemm->a_transposed ? tiles->transposed : tiles->straight, tiles->rows);
        strip_advance(&strip);
    }
}

/* Rows [row, row + m) over p in [begin, begin + count). */
static void stretch_run(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm, size_t row, size_t m, size_t begin, size_t count)
{
    const bool is_first = begin == 0, is_last = begin + count == gemm->k;
    tcsi_gemm_strip strip = {
        .k = count,
        .a = gemm->a + (gemm->a_transposed ? row + begin * gemm->a_stride : row * gemm->a_stride),
        .a_stride = gemm->a_stride,
        .tap_begin = gemm->a_transposed ? 0 : begin,
        .tap_size = gemm->a_transposed ? count : gemm->k,
        .tap_stride = gemm->tap_stride,
        .b = gemm->b + begin * (gemm->b_transposed ? 1 : gemm->b_stride),
        .b_stride = gemm->b_stride,
        .start = gemm->bias,
        .relu = is_last && gemm->activation == TCSI_ACTIVATION_RELU,
        .c = gemm->c + row * gemm->c_stride,
        .c_stride = gemm->c_stride,
    };
    if (gemm->tap_count > 1) {
        strip.tap_size = gemm->k / gemm->tap_count;
        strip.tap_begin = begin % strip.tap_size;
        strip.a += begin / strip.tap_size * gemm->tap_stride;
    }
    if (gemm->accumulate || !is_first) {
        strip.start = strip.c;
        strip.start_stride = strip.c_stride;
    }
    if (gemm->residual && is_last) {
        strip.residual = gemm->residual + row * gemm->residual_stride;
        strip.residual_stride = gemm->residual_stride;
    }
    if (packing_for(ops, gemm)) rows_run_packed(ops, gemm, row, m, begin, strip);
    else if (gemm->b_transposed) rows_run_transposed(ops, gemm, m, strip);
    else rows_run(ops, gemm, m, &strip);
}

/* How many values of p are taken at once: all, or parts of about the same length. */
static size_t stretch_count(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm)
{
    const tcsi_gemm_packing *packing = packing_for(ops, gemm);
    const size_t cell = packing ? packing->cell : 1;
    size_t longest = gemm->a_transposed || gemm->b_transposed ? STRETCH_TRANSPOSED : STRETCH;
    if (packing) longest = (gemm->a_transposed ? STRETCH_PACKED / 2 : STRETCH_PACKED) * cell;
    if (gemm->k <= longest) return gemm->k;
    const size_t parts = (gemm->k + longest - 1) / longest, count = (gemm->k + parts - 1) / parts;
    return (count + cell - 1) / cell * cell;
}

/* How many rows of C are taken at once: as many as keep their stretch of A near, many where they share a copy of B. */
static size_t rows_at_once(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm, size_t stretch)
{
    const tcsi_gemm_packing *packing = packing_for(ops, gemm);
    if (gemm->m <= ROWS_MIN) return gemm->m;
    if (packing) {
        const size_t cells = larger(1, (stretch + packing->cell - 1) / packing->cell);
        return smaller(ROWS_MAX, COPY_COUNT / cells / ROW_UNIT_PACKED * ROW_UNIT_PACKED);
    }
    if (gemm->b_transposed) return ROWS_MAX;
    return larger(ROWS_MIN, smaller(ROWS_MAX, A_COUNT / (stretch + 1) / ROW_UNIT * ROW_UNIT));
}

/* Without an activation other than relu, and without taps of a transposed A. */
static void plain_run(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm)
{
    const size_t count = stretch_count(ops, gemm);
    const size_t rows = rows_at_once(ops, gemm, count);
    for (size_t row = 0; row < gemm->m; row += rows) {
        const size_t m = smaller(rows, gemm->m - row);
        size_t begin = 0;
        do {
            stretch_run(ops, gemm, row, m, begin, smaller(count, gemm->k - begin));
            begin += count;
        } while (begin < gemm->k);
    }
}

/* A residual that may be C, and an inner index of several stretches: sums are finished elsewhere. */
static void residual_run(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm)
{
    float sums[PARTIAL_ROWS * PARTIAL_COLUMNS];
    for (size_t row = 0; row < gemm->m; row += PARTIAL_ROWS)
        for (size_t column = 0; column < gemm->n; column += PARTIAL_COLUMNS) {
            tcsi_gemm part = part_of(gemm, row, smaller(PARTIAL_ROWS, gemm->m - row), column, smaller(PARTIAL_COLUMNS, gemm->n - column));
            const tcsi_gemm whole = part;
            part.c = sums;
            part.c_stride = PARTIAL_COLUMNS;
            part.residual = NULL;
            part.activation = TCSI_ACTIVATION_NONE;
            plain_run(ops, &part);
            for (size_t i = 0; i < part.m; i++)
                for (size_t j = 0; j < part.n; j++) {
                    float sum = sums[i * PARTIAL_COLUMNS + j] + whole.residual[i * whole.residual_stride + j];
                    if (whole.activation == TCSI_ACTIVATION_RELU && sum < 0) sum = 0;
                    whole.c[i * whole.c_stride + j] = sum;
                }
        }
}

void tcsi_gemm_activate(tcsi_isa isa, tcsi_activation activation, size_t m, size_t n, float *c, size_t c_stride)
{
    if (activation == TCSI_ACTIVATION_NONE || activation == TCSI_ACTIVATION_RELU) return;
    for (size_t i = 0; i < m; i++, c += c_stride) tcsi_vector_activate(isa, activation, n, c, c);
}

void tcsi_gemm_transpose(tcsi_isa isa, size_t k, size_t n, const float *b, size_t b_stride, float *out, size_t out_stride)
{
    ops_for(isa, TCSI_PRECISION_SINGLE)->transpose(k, n, b, b_stride, out, out_stride);
}

const tcsi_gemm_packing *tcsi_gemm_packing_for(tcsi_isa isa, tcsi_precision precision)
{
    return precision == TCSI_PRECISION_SINGLE ? NULL : packing_of(ops_for(isa, precision));
}

static void block_run(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm)
{
    if (gemm->residual && stretch_count(ops, gemm) < gemm->k) residual_run(ops, gemm);
    else plain_run(ops, gemm);
    tcsi_gemm_activate(ops->isa, gemm->activation, gemm->m, gemm->n, gemm->c, gemm->c_stride);
}

/* Rows of A whose taps follow each other without a gap are rows without taps. */
static bool has_real_taps(const tcsi_gemm *gemm)
{
    if (gemm->tap_count <= 1) return false;
    const size_t inner = gemm->a_transposed ? gemm->m : gemm->k;
    TCS_ASSERT(inner % gemm->tap_count == 0);
    return inner != gemm->tap_count * gemm->tap_stride;
}

/* Rows that part_of may take together: those of a tap of a transposed A, otherwise all. */
static size_t group_count(const tcsi_gemm *gemm)
{
    return gemm->a_transposed && gemm->tap_count > 1 ? gemm->m / gemm->tap_count : gemm->m;
}

/* Blocks of C, each a task: the same ones for any pool. */
typedef struct cut {
    const tcsi_gemm_ops *ops;
    const tcsi_gemm *gemm;
    size_t group;                     /* rows are cut within groups of this many: those of a tap of a transposed A, else all */
    size_t rows, columns;             /* of a block */
    size_t row_blocks, column_blocks; /* of a group */
} cut;

static void task_run(void *context, size_t index, size_t worker)
{
    const cut *c = context;
    (void)worker;
    const size_t column = index % c->column_blocks * c->columns, n = smaller(c->columns, c->gemm->n - column);
    const size_t block = index / c->column_blocks, row = block % c->row_blocks * c->rows, m = smaller(c->rows, c->group - row);
    const tcsi_gemm part = part_of(c->gemm, block / c->row_blocks * c->group + row, m, column, n);
    block_run(c->ops, &part);
}

/* Half of count, in whole units. */
static size_t halved(size_t count, size_t unit)
{
    return ((count + 1) / 2 + unit - 1) / unit * unit;
}

/* Halves the longer side until there are enough tasks or they are small: square blocks share most of what they read. */
static cut cut_make(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm)
{
    cut c = { .ops = ops, .gemm = gemm, .group = group_count(gemm), .columns = gemm->n, .row_blocks = 1, .column_blocks = 1 };
    const size_t rows_min = gemm->b_transposed ? TASK_ROWS_COPYING : TASK_ROWS, groups = gemm->m / c.group;
    const double wanted = fmin(TASKS_MAX, (double)gemm->m * (double)gemm->n * (double)gemm->k / TASK_WORK);
    c.rows = c.group;
    while ((double)(c.row_blocks * c.column_blocks * groups) < wanted) {
        if (c.rows > rows_min && (c.rows > c.columns || c.columns <= TASK_COLUMNS)) c.rows = halved(c.rows, TASK_ROW_UNIT);
        else if (c.columns > TASK_COLUMNS) c.columns = halved(c.columns, TASK_COLUMNS);
        else break;
        c.row_blocks = (c.group + c.rows - 1) / c.rows;
        c.column_blocks = (gemm->n + c.columns - 1) / c.columns;
    }
    return c;
}

static void pool_run(const tcsi_gemm_ops *ops, tcsi_pool *pool, const tcsi_gemm *gemm)
{
    cut c = cut_make(ops, gemm);
    tcsi_pool_run(pool, gemm->m / c.group * c.row_blocks * c.column_blocks, task_run, &c);
}

/* A transposed A with taps: one product a tap. */
static void taps_run(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm)
{
    const size_t group = group_count(gemm);
    for (size_t row = 0; row < gemm->m; row += group) {
        const tcsi_gemm part = part_of(gemm, row, group, 0, gemm->n);
        block_run(ops, &part);
    }
}

/* A single column of C is a single row of C', where lanes run along what was m; it begins at what is in C, so bias goes there first. */
static bool column_run(const tcsi_gemm_ops *ops, const tcsi_gemm *gemm)
{
    if (gemm->n > 1 || gemm->m < COLUMN_ROWS || gemm->c_stride > 1 || gemm->tap_count > 1 || gemm->residual) return false;
    tcsi_gemm row = *gemm;
    row.m = 1;
    row.n = gemm->m;
    row.a = gemm->b;
    row.a_stride = gemm->b_stride;
    row.a_transposed = !gemm->b_transposed && gemm->b_stride > 1;
    row.b = gemm->a;
    row.b_stride = gemm->a_stride;
    row.b_transposed = !gemm->a_transposed;
    row.c_stride = gemm->m;
    if (gemm->bias) {
        for (size_t i = 0; i < gemm->m; i++) gemm->c[i] = *gemm->bias;
        row.bias = NULL;
        row.accumulate = true;
    }
    block_run(ops, &row);
    return true;
}

void tcsi_gemm_run(tcsi_isa isa, tcsi_pool *pool, const tcsi_gemm *gemm)
{
    TCS_ASSERT(!gemm->accumulate || (!gemm->bias && !gemm->residual && gemm->activation == TCSI_ACTIVATION_NONE));
    if (gemm->m == 0 || gemm->n == 0) return;
    const tcsi_gemm_ops *ops = ops_for(isa, gemm->precision);
    tcsi_gemm plain;
    if (gemm->tap_count > 1 && !has_real_taps(gemm)) {
        plain = *gemm;
        plain.tap_count = 0;
        gemm = &plain;
    }
    if (pool && (double)gemm->m * (double)gemm->n * (double)gemm->k >= POOL_WORK) pool_run(ops, pool, gemm);
    else if (gemm->a_transposed && gemm->tap_count > 1) taps_run(ops, gemm);
    else if (!column_run(ops, gemm)) block_run(ops, gemm);
}
