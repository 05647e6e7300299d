/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "serve/history/regex.h"

#include <time.h>

static tcsi_regex pattern;

static bool matches(const char *regex, const char *text)
{
    assert_ok(tcsi_regex_compile(&pattern, regex, strlen(regex), test_err));
    return tcsi_regex_match(&pattern, text, strlen(text));
}

/* pattern, texts that match, texts that do not; as Go's regexp/syntax has it for ^(?s:...)$. */
static void test_matches(void **state)
{
    (void)state;
    static const struct { const char *regex, *yes[6], *no[6]; } cases[] = {
        { "", { "" }, { "a" } },
        { "abc", { "abc" }, { "ab", "abcd", "xabc", "" } },
        { "a|bc|", { "a", "bc", "" }, { "abc", "b", "ac" } },
        { "a|b|c|d", { "a", "b", "c", "d" }, { "ab", "e" } },
        { "(a|b)(c|d)", { "ac", "bd" }, { "ab", "cd", "a" } },
        { ".*", { "", "x", "a\nb", "\xc3\xa9\xe2\x82\xac" }, { NULL } },
        { ".", { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80" }, { "", "xy", "\xc3\xa9x" } },
        { "..", { "\xc3\xa9x" }, { "\xc3\xa9" } },
        { ".+", { "x", "xyz" }, { "" } },
        { "a*b+c?", { "b", "aabbc", "bc" }, { "a", "cc", "abcc" } },
        { "(ab)*", { "", "ab", "abab" }, { "a", "aba" } },
        { "a{3}", { "aaa" }, { "aa", "aaaa" } },
        { "a{2,}", { "aa", "aaaaa" }, { "a" } },
        { "(ab){1,3}", { "ab", "abab", "ababab" }, { "", "abababab" } },
        { "x{0,2}y{0}z", { "z", "xz", "xxz" }, { "xxxz", "yz" } },
        { "a+?b*?", { "a", "aab" }, { "b" } },
        { "[a-c_]+", { "abc_" }, { "d", "" } },
        { "[^a-c]", { "d", "\xc3\xa9" }, { "a", "", "dd" } },
        { "[]a]+", { "]a]" }, { "[" } },
        { "[a-]", { "a", "-" }, { "b" } },
        { "[\\d.]+", { "10.0.0.1" }, { "10,0" } },
        { "\\d+\\D", { "12x", "1\xc3\xa9" }, { "12", "x1" } },
        { "\\w+\\s\\W", { "a_1 -" }, { "a_1 b" } },
        { "10\\.0\\.0\\.1:9\\d{3}", { "10.0.0.1:9100" }, { "10x0.0.1:9100", "10.0.0.1:910" } },
        { "\\x41\\n\\\\", { "A\n\\" }, { "A" } },
        { "(?i)ab[c-d]", { "ABC", "abD", "aBc" }, { "abe" } },
        { "(?:a|(b(c)))d", { "ad", "bcd" }, { "bd" } },
        { "^a$", { "a" }, { "^a$" } },
        { "(^a|b)c$", { "ac", "bc" }, { "xac" } },
        { "a^b|a$b", { NULL }, { "ab", "a" } },
        { "(a*)*", { "", "aaa" }, { "b" } },
        { "((a?){3}|b)*c", { "c", "aaabac" }, { "ab" } },
        { "\xc3\xa9*", { "", "\xc3\xa9\xc3\xa9" }, { "\xc3", "\xa9" } },
        { "node-(exporter|app)-[0-9a-f]+", { "node-app-00ff" }, { "node-app-", "node-ap-1" } },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        for (size_t k = 0; k < 6 && cases[i].yes[k]; k++)
            if (!matches(cases[i].regex, cases[i].yes[k])) fail_msg("%s does not match '%s'", cases[i].regex, cases[i].yes[k]);
        for (size_t k = 0; k < 6 && cases[i].no[k]; k++)
            if (matches(cases[i].regex, cases[i].no[k])) fail_msg("%s matches '%s'", cases[i].regex, cases[i].no[k]);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *regex, *words; } cases[] = {
        { "(a", "byte 3: a ( that is not closed" },        { "a)", "byte 2: a ) that was not opened" },
        { "[a", "a [ that is not closed" },                { "*a", "byte 1: nothing to repeat" },
        { "a|+", "nothing to repeat" },                    { "a**", "a repetition of a repetition" },
        { "a{2,1}", "expected {n}, {n,} or {n,m}" },       { "a{,3}", "expected {n}" },
        { "a{1", "a { that is not closed" },               { "a{2000}", "more than 1000 repetitions" },
        { "\\1", "an escape that is not known here" },     { "\\b", "an escape" },
        { "\\", "nothing behind \\" },                     { "(?=a)", "a flag" },
        { "a(?i)b", "a flag" },                            { "[[:alpha:]]", "a class by name" },
        { "[z-a]", "a range that goes back" },             { "[\xc3\xa9]", "beyond ASCII" },
        { "[\\D]", "within []" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcs_error failure = { 0 };
        assert_int_equal(tcsi_regex_compile(&pattern, cases[i].regex, strlen(cases[i].regex), &failure), TCS_E_INVALID);
        if (!strstr(failure.text, cases[i].words)) fail_msg("%s: %s", cases[i].regex, failure.text);
    }
}

/* What takes others gigabytes or centuries is refused, or done in a moment. */
static void test_hostile(void **state)
{
    (void)state;
    tcs_error failure;
    char text[2048], deep[512];
    static const char *const large[] = { "a{100}{100}", "((a{100}){100}){100}", "(.{1000}){1000}", "(a|b|c){500}" };
    for (size_t i = 0; i < TCS_COUNT(large); i++)
        assert_true(tcsi_regex_compile(&pattern, large[i], strlen(large[i]), &failure) != TCS_OK);
    memset(deep, '(', sizeof deep);
    assert_true(tcsi_regex_compile(&pattern, deep, sizeof deep, &failure) != TCS_OK);
    static char longer[TCSI_REGEX_SIZE_MAX + 1];
    memset(longer, 'a', sizeof longer);
    assert_int_equal(tcsi_regex_compile(&pattern, longer, sizeof longer, &failure), TCS_E_LIMIT);
    assert_ok(tcsi_regex_compile(&pattern, longer, sizeof longer - 1, test_err));
    memset(text, 'a', sizeof text);
    static const char *const slow[] = { "(a*)*b", "(a|a)*b", "(a|aa)+$b", "(.*)(.*)(.*)(.*)(.*)x", "(a?){60}a{60}b", "((a*)*)*b" };
    const clock_t begin = clock();
    for (size_t i = 0; i < TCS_COUNT(slow); i++) {
        assert_ok(tcsi_regex_compile(&pattern, slow[i], strlen(slow[i]), test_err));
        assert_false(tcsi_regex_match(&pattern, text, sizeof text));
        assert_true(pattern.cost <= 2 * pattern.step_count * (sizeof text + 1));
    }
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 2);
}

TCS_TEST_MAIN(cmocka_unit_test(test_matches), cmocka_unit_test(test_refused), cmocka_unit_test(test_hostile))
