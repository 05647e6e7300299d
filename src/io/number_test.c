/* The double parser against strtod, bit for bit, on random and on hard decimals. */
#include "test.h"

#include "base/json.h"
#include "base/rng.h"
#include "io/number.h"

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Both entries must agree with strtod to the bit and take the whole text. */
static void check(const char *text)
{
    char padded[4096] = { 0 };
    size_t size = strlen(text);
    assert_true(size + TCSI_NUMBER_PADDING < sizeof padded);
    memcpy(padded, text, size);
    double expected = strtod(text, NULL), scanned = 0.5, parsed = 0.25;
    bool ok = tcsi_number_scan(padded, '.', &scanned) == padded + size && tcsi_number_parse(text, size, '.', &parsed);
    if (ok && bits_of(scanned) == bits_of(expected) && bits_of(parsed) == bits_of(expected)) return;
    print_error("%s: scan %.17g, parse %.17g, strtod %.17g\n", text, scanned, parsed, expected);
    fail();
}

static void test_hard_decimals(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0", "-0", "+1", "1.", ".5", "-.5e1", "1e5", "1E+05", "1e-05", "00001.50", "123456789012345678901234567890",
        "9007199254740993", "9007199254740992", "9007199254740993.0000000000000000000000001", "9007199254740995",
        "1e22", "1e23", "8.5e22", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309",
        "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641669"
        "2887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571366959622"
        "8429148198608349364752927190741684443655107043427115596995080930428801779041744977919999999999999999999999999999999",
        "2.2250738585072014e-308", "2.2250738585072011e-308", "2.225073858507201136057409796709131975934819546351645648023426e-308",
        "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.47032822920623272e-324", "1e-400",
            "0e999999999999",
        "1e99999999999999999999", "1e-99999999999999999999", "7.2057594037927933e+16", "6.631236846766476e-316", "3.237883913302901e-319",
        "1090544144181609348835077142190", "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124", "1.00000000000000011102230246251565404236316680908203126",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000012345678901234567890123",
        "5e-324", "3e-324", "2e-324", "104110013277974872254e-225", "12345678901234567890", "18446744073709551615", "18446744073709551616",
        "2.00416836000897277799610805135016205e-146", "1.448997445238699", "0.2467212345678", "99999999", "999999999999999999",
    };
    for (size_t i = 0; i < TCS_COUNT(texts); i++) check(texts[i]);
    /* Halfway points of doubles with hundreds of digits, and their neighbours one digit up and down. */
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (int i = 0; i < 3000; i++) {
        uint64_t bits = tcsi_rng_u64(&rng) & ~(UINT64_C(1) << 63);
        if (i % 3 == 0) bits &= (UINT64_C(1) << 53) - 1; /* denormals and the smallest normal numbers */
        double value, next;
        memcpy(&value, &bits, sizeof value);
        bits++;
        memcpy(&next, &bits, sizeof next);
        if (!(fabs(next) < INFINITY)) continue;
        char text[2048];
        long double half = ((long double)value + (long double)next) / 2; /* exact: 64 bits hold 54 */
        int length = snprintf(text, sizeof text, "%.*Le", 800, half);
        assert_true(length > 0 && (size_t)length < sizeof text);
        check(text);
        char *last = strchr(text, 'e') - 1;
        *last = '1';
        check(text);
    }
}

static void test_a_million_random_decimals(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    char text[128];
    for (int i = 0; i < (test_is_small() ? 30000 : 1000000); i++) {
        uint64_t bits = tcsi_rng_u64(&rng);
        double value;
        memcpy(&value, &bits, sizeof value);
        size_t kind = tcsi_rng_below(&rng, 6);
        if (!isfinite(value)) value = 1;
        if (kind == 0) snprintf(text, sizeof text, "%.17g", value);
        else if (kind == 1) snprintf(text, sizeof text, "%.*e", (int)tcsi_rng_below(&rng, 30), value);
        else if (kind == 2) snprintf(text, sizeof text, "%.*f", (int)tcsi_rng_below(&rng, 20), tcsi_rng_normal(&rng) * 1000);
        else if (kind == 3) snprintf(text, sizeof text, "%llu", (unsigned long long)bits);
        else if (kind == 4) snprintf(text, sizeof text, "%lld.%llu", (long long)(bits >> 40), (unsigned long long)tcsi_rng_u64(&rng));
        else snprintf(text, sizeof text, "%llue%d", (unsigned long long)(bits >> tcsi_rng_below(&rng, 64)),
                      (int)tcsi_rng_below(&rng, 700) - 360);
        check(text);
    }
}

static void test_shortest_text_reads_back(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(2, 0);
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = tcsi_rng_u64(&rng);
        double value, read = 0;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        char text[TCSI_NUMBER_TEXT_SIZE];
        size_t size = tcsi_number_format(value, text);
        assert_true(tcsi_number_parse(text, size, '.', &read) && bits_of(read) == bits_of(value));
    }
}

/* With one of 15, 16 and 17 digits, as printf rounds: the first that reads back. */
static void format_slowly(double value, char *text)
{
    if (value == floor(value) && fabs(value) < 1e15) {
        snprintf(text, TCSI_NUMBER_TEXT_SIZE, "%.0f", value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, TCSI_NUMBER_TEXT_SIZE, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
}

static void check_format(double value)
{
    char text[TCSI_NUMBER_TEXT_SIZE], expected[TCSI_NUMBER_TEXT_SIZE];
    format_slowly(value, expected);
    const size_t size = tcsi_number_format(value, text);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
}

static void test_shortest_text_is_what_printf_finds(void **state)
{
    (void)state;
    static const double hard[] = { 0, -0.0, 1, -1, 0.1, 0.3, 1e-5, 9.9999999999999995e-5, 1e-4, 0.5, 1e15, 999999999999999.9,
                                   1.2345678901234568e17, 99999999999999.98, 0.99999999999999989, 9.9999999999999982, 1e-10,
                                   1.0000000000000002e-10, 5e-324, 1e22,
                                   2.2250738585072014e-308, 1.7976931348623157e308, 4503599627370497.5, 0.1 + 0.2, 1.0 / 3 };
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t i = 0; i < TCS_COUNT(hard); i++) {
        check_format(hard[i]);
        check_format(-hard[i]);
    }
    for (int i = 0; i < (test_is_small() ? 10000 : 100000); i++) {
        const uint64_t bits = tcsi_rng_u64(&rng);
        const double near = (tcsi_rng_uniform(&rng) - 0.5) * pow(10, (double)tcsi_rng_below(&rng, 32) - 14);
        double any;
        char few[64];
        memcpy(&any, &bits, sizeof any);
        if (isfinite(any)) check_format(any);
        check_format(near);
        check_format((double)(float)near);
        check_format(ldexp(1, (int)tcsi_rng_below(&rng, 100) - 50));
        snprintf(few, sizeof few, "%.*g", 1 + (int)tcsi_rng_below(&rng, 17), near);
        check_format(strtod(few, NULL));
        check_format(rint(near * 1e6) / 1024);
    }
}

static void test_not_numbers(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "-", "+", ".", "e5", "1e", "1e+", "--1", "1.2.3", "0x10", "nan", "inf", " 1", "1 ", "1,5",
                                        "1_0", "-.e1" };
    double value = 7;
    for (size_t i = 0; i < TCS_COUNT(texts); i++) assert_false(tcsi_number_parse(texts[i], strlen(texts[i]), '.', &value));
    assert_true(value == 7);
    assert_true(tcsi_number_parse("-1,5e2", 6, ',', &value) && value == -150);
    char zeros[3000];
    memset(zeros, '0', sizeof zeros);
    zeros[0] = '1';
    assert_true(tcsi_number_parse(zeros, 300, '.', &value) && value == 1e299);
    assert_true(tcsi_number_parse(zeros, sizeof zeros, '.', &value) && isinf(value));
    zeros[0] = '0';
    zeros[1] = '.';
    zeros[400] = '1'; /* 1e-399 */
    assert_true(tcsi_number_parse(zeros, sizeof zeros, '.', &value) && value == 0);
    zeros[320] = '4'; /* 4e-319, a denormal, and 2,000 digits that do not matter */
    assert_true(tcsi_number_parse(zeros, sizeof zeros, '.', &value) && value == 4e-319);
}

TCS_TEST_MAIN(cmocka_unit_test(test_hard_decimals), cmocka_unit_test(test_a_million_random_decimals),
              cmocka_unit_test(test_shortest_text_reads_back), cmocka_unit_test(test_not_numbers),
              cmocka_unit_test(test_shortest_text_is_what_printf_finds))
