/* kernels/gemm_lanes.h -- the inner loops of the matrix product; included once per tier by gemm_TIER.c after floats_TIER.h.
 *
 * A tile of ROWS x WIDTH registers of C stays in registers while p runs: per p it takes WIDTH loads of B, ROWS broadcasts of A and
 * ROWS * WIDTH multiply-adds, all independent of each other, which hides the latency of each.  Rows and width are constants in
 * every copy of the loop, so that nothing is decided inside it, and there are three copies of each size: A straight, A transposed (rows
 * of the tile are then neighbours in memory and need one address between them; with an address each, and a step that is not 1,
 * compilers run out of integer registers and move pointers through vector registers), and for strips narrower than a register,
 * whose masked loads cost a vector operation each on some processors.
 *
 * Nothing is copied beforehand: the rows of A are streams that processors fetch by themselves, and B's strip is read from the second
 * cache level, whose latency the independent chains cover.  What lies further away is asked for ahead: in the widest strips, which
 * only large products have, B as gemm.c says and the next tile of C; from a transposed A, whose rows are far apart, what the same tile
 * will take of the next stretch of p.  An address beyond the end of an array is asked for at most, never read. */
#include "kernels/gemm_tier.h"
#include "kernels/unroll.h"

#define UNROLL TCSI_UNROLL(8)

enum { ROWS_MAX = 8, ROWS_AHEAD = 4, CACHE_LINE = 64 / sizeof(float) };

typedef floats tile[ROWS_MAX][TCSI_GEMM_WIDEST_ROW];

/* What a copy of the loop is made for. */
typedef struct form {
    size_t rows, width;
    bool is_transposed, is_part;
} form;

INLINE floats load(form f, const float *p, size_t columns)
{
    return f.is_part ? floats_load_part(p, columns) : floats_load(p);
}

/* Asks for count floats. */
INLINE void prefetch(const float *p, size_t count)
{
    UNROLL for (size_t o = 0; o < count; o += CACHE_LINE) __builtin_prefetch(p + o);
}

/* sum += A B over count > 0 values of p. */
INLINE void tile_multiply(form f, tile sum, size_t count, const float *a, size_t a_stride, const float *b, const tcsi_gemm_strip *s)
{
    const float *rows[ROWS_MAX];
    const size_t b_stride = s->b_stride, b_ahead = s->b_ahead, columns = s->columns;
    UNROLL for (size_t r = 0; r < f.rows; r++) rows[r] = a + r * a_stride;
    size_t p = 0;
    do {
        floats row[TCSI_GEMM_WIDEST_ROW];
        UNROLL for (size_t v = 0; v < f.width; v++) row[v] = load(f, b + v * LANES, columns);
        if (f.rows >= ROWS_AHEAD && f.width == WIDEST) prefetch(b + b_ahead, f.width * LANES);
        if (f.is_transposed) __builtin_prefetch(a + count * a_stride);
        UNROLL for (size_t r = 0; r < f.rows; r++) {
            floats x = floats_set(f.is_transposed ? a[r] : rows[r][p]);
            UNROLL for (size_t v = 0; v < f.width; v++) sum[r][v] = floats_fma(x, row[v], sum[r][v]);
        }
        if (f.is_transposed) a += a_stride;
        b += b_stride;
    } while (++p < count);
}

INLINE void tile_start(form f, tile sum, const float *start, size_t stride, size_t columns)
{
    UNROLL for (size_t r = 0; r < f.rows; r++)
        UNROLL for (size_t v = 0; v < f.width; v++) sum[r][v] = start ? load(f, start + r * stride + v * LANES, columns) : floats_set(0);
}

INLINE void tile_add(form f, tile sum, const float *residual, size_t stride, size_t columns)
{
    UNROLL for (size_t r = 0; r < f.rows; r++)
        UNROLL for (size_t v = 0; v < f.width; v++)
            sum[r][v] = floats_add(sum[r][v], load(f, residual + r * stride + v * LANES, columns));
}

INLINE void tile_relu(form f, tile sum)
{
    UNROLL for (size_t r = 0; r < f.rows; r++)
        UNROLL for (size_t v = 0; v < f.width; v++) sum[r][v] = floats_max(floats_set(0), sum[r][v]); /* NaN stays NaN */
}

INLINE void tile_store(form f, tile sum, float *c, size_t stride, size_t columns)
{
    UNROLL for (size_t r = 0; r < f.rows; r++)
        UNROLL for (size_t v = 0; v < f.width; v++) {
            if (f.is_part) floats_store_part(c + r * stride, sum[r][v], columns);
            else floats_store(c + r * stride + v * LANES, sum[r][v]);
        }
}

/* Rows [row, row + f.rows) of a strip. */
INLINE void tile_run(form f, const tcsi_gemm_strip *s, size_t row)
{
    tile sum;
    const size_t c_stride = s->c_stride, columns = s->columns;
    float *c = s->c + row * c_stride;
    if (f.rows >= ROWS_AHEAD && f.width == WIDEST) /* + 1: rows may straddle lines */
        UNROLL for (size_t r = 0; r < f.rows; r++) prefetch(c + (f.rows + r) * c_stride, f.width * LANES + 1);
    tile_start(f, sum, s->start ? s->start + row * s->start_stride : NULL, s->start_stride, columns);
    const float *a = s->a + row * (f.is_transposed ? 1 : s->a_stride), *b = s->b;
    size_t left = s->k, begin = s->tap_begin;
    while (left > 0) {
        const size_t whole = s->tap_size - begin, count = whole < left ? whole : left;
        tile_multiply(f, sum, count, a + begin, s->a_stride, b, s);
        left -= count;
        begin = 0;
        a += s->tap_stride;
        b += count * s->b_stride;
    }
    if (s->residual) tile_add(f, sum, s->residual + row * s->residual_stride, s->residual_stride, columns);
    if (s->relu) tile_relu(f, sum);
    tile_store(f, sum, c, c_stride, columns);
}

/* The copies.  Each is a function of its own: in one large function compilers keep integers in vector registers.  width: 1 to 4
 * registers, or part of one. */
enum { REGISTERS_1 = 1, REGISTERS_2, REGISTERS_3, REGISTERS_4, REGISTERS_part = 1 };
enum { IS_PART_1, IS_PART_2 = 0, IS_PART_3 = 0, IS_PART_4 = 0, IS_PART_part = 1 };

#define TILE(rows, width)                                                                  \
    static void straight_##rows##x##width(const tcsi_gemm_strip *s, size_t row)            \
    {                                                                                      \
        tile_run((form){ rows, REGISTERS_##width, false, IS_PART_##width }, s, row);       \
    }                                                                                      \
    static void transposed_##rows##x##width(const tcsi_gemm_strip *s, size_t row)          \
    {                                                                                      \
        tile_run((form){ rows, REGISTERS_##width, true, IS_PART_##width }, s, row);        \
    }

#define TILES_4(width) TILE(1, width) TILE(2, width) TILE(3, width) TILE(4, width)
#define TILES_6(width) TILES_4(width) TILE(5, width) TILE(6, width)
#define TILES_8(width) TILES_6(width) TILE(7, width) TILE(8, width)

#define NAMES_4(kind, width) kind##_1x##width, kind##_2x##width, kind##_3x##width, kind##_4x##width
#define NAMES_6(kind, width) NAMES_4(kind, width), kind##_5x##width, kind##_6x##width
#define NAMES_8(kind, width) NAMES_6(kind, width), kind##_7x##width, kind##_8x##width
#define TABLE(rows, width) { rows, { NAMES_##rows(straight, width) }, { NAMES_##rows(transposed, width) } }

/* One row, which may be wider. */
#define ROW(width)                                                                         \
    static void row_##width(const tcsi_gemm_strip *s, size_t row)                          \
    {                                                                                      \
        tile_run((form){ 1, width, false, false }, s, row);                                \
    }
