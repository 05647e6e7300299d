/* apps/explain_live.c -- see explain_live.h: the document of GET /api/v1/episodes/{id}/explanation, in words.
 * SPDX-License-Identifier: Apache-2.0 */
#include "explain_live.h"

#include "base/json.h"
#include "serve/client.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX = 1 << 26, BAR_CELLS = 10 };

static double number_of(const tcsi_json_value *object, const char *key)
{
    return tcsi_json_number_of(object, key, NAN);
}

/* An object that is there. */
static const tcsi_json_value *part_of(const tcsi_json_value *object, const char *key)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && (value->type == TCSI_JSON_OBJECT || value->type == TCSI_JSON_ARRAY) ? value : NULL;
}

static void print_look(const tcsi_json_value *look)
{
    if (!look) return;
    printf("  first look %.6g came where %.6g ± %.3g was expected: a %s\n", number_of(look, "value"), number_of(look, "expected"),
           number_of(look, "deviation"), tcsi_json_text_of(look, "because"));
    printf("  height     %.3g; the threshold then was %.3g, so that all from %.6g to %.6g would have been quiet\n",
           number_of(look, "height"), number_of(look, "threshold"), number_of(look, "low"), number_of(look, "high"));
}

static void print_rows(const tcsi_json_value *second)
{
    const tcsi_json_value *rows = second ? part_of(second, "rows") : NULL;
    if (!rows) return;
    printf("\n  what the deep layer looked at: chance %.3g, up to %.3g decides\n", number_of(second, "p_value"),
           number_of(second, "limit"));
    for (size_t i = 0; i < rows->item_count; i++) {
        const tcsi_json_value *row = &rows->items[i];
        const double share = number_of(row, "share");
        if (!(share >= 0.05)) continue;
        printf("    row %3d ", (int)i - (int)rows->item_count + 1);
        for (int cell = 0; cell < BAR_CELLS; cell++) printf("%s", share * BAR_CELLS >= cell + 0.5 ? "█" : "░");
        printf(" %3.0f %%  %.3g deviations, expected %.3g  %s\n", 100 * share, number_of(row, "deviations"), number_of(row, "expected"),
               tcsi_json_text_of(row, "time"));
    }
}

static void print_moved(const tcsi_json_value *moved)
{
    const tcsi_json_value *episodes = moved ? part_of(moved, "episodes") : NULL;
    if (!episodes || episodes->item_count == 0) return;
    printf("\n  moved together\n");
    for (size_t i = 0; i < episodes->item_count; i++) {
        const tcsi_json_value *other = &episodes->items[i];
        const double lag = number_of(other, "lag_seconds"), deviations = number_of(other, "deviations");
        printf("    %s, %.6g s %s", tcsi_json_text_of(other, "series"), fabs(lag), lag < 0 ? "before" : "later");
        if (isnan(deviations)) printf(": %s\n", tcsi_json_text_of(other, "kind"));
        else printf(": %.3g deviations\n", deviations);
    }
}

static void print_path(const tcsi_json_value *root)
{
    const tcsi_json_value *path = part_of(root, "path"), *told = part_of(root, "told"), *unknown = part_of(root, "unknown");
    printf("\n  the way of its row\n");
    for (size_t i = 0; path && i < path->item_count; i++)
        printf("    %-12s %s\n", tcsi_json_text_of(&path->items[i], "step"), tcsi_json_text_of(&path->items[i], "says"));
    for (size_t i = 0; told && i < told->item_count; i++)
        printf("    %-12s %s, %s %s %s\n", "told", tcsi_json_text_of(&told->items[i], "receiver"),
               tcsi_json_text_of(&told->items[i], "outcome"), tcsi_json_text_of(&told->items[i], "time"),
               tcsi_json_text_of(&told->items[i], "error"));
    for (size_t i = 0; unknown && i < unknown->item_count; i++) printf("  not known: %s\n", unknown->items[i].text);
}

static void print_document(const tcsi_json_value *root)
{
    const char *advice = tcsi_json_text_of(root, "advice"), *second = tcsi_json_text_of(root, "advice_second_look");
    const tcsi_json_value *brief = part_of(root, "brief");
    printf("%s\n  %s, %s\n\n  %s\n", tcsi_json_text_of(root, "episode"), tcsi_json_text_of(root, "kind"), tcsi_json_text_of(root, "state"),
           tcsi_json_text_of(root, "sentence"));
    if (brief) printf("  %s\n", tcsi_json_text_of(brief, "sentence"));
    if (*advice) printf("  %s\n", advice);
    if (*second && strcmp(second, advice) != 0) printf("  %s\n", second);
    printf("\n");
    print_look(part_of(root, "first_look"));
    print_rows(part_of(root, "second_look"));
    print_moved(part_of(root, "moved_together"));
    print_path(root);
}

/* Ids are made of letters, digits and dashes: what is none has no place in an address. */
static bool is_id(const char *text)
{
    return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] == 0;
}

tcs_status cli_explain_live(const char *service, const char *token, const char *episode, bool json, tcs_error *err)
{
    char path[512];
    const tcsi_json_value *root;
    tcsi_buffer answer;
    tcsi_arena arena;
    if (!is_id(episode) || strlen(episode) > 256) return tcsi_fail(err, TCS_E_INVALID, "'%.80s' is no id of an episode", episode);
    snprintf(path, sizeof path, "/api/v1/episodes/%s/explanation", episode);
    tcsi_buffer_init(&answer, DOCUMENT_MAX);
    tcsi_arena_init(&arena, 0);
    tcs_status status = tcsi_client_get(service, token, path, &answer, err);
    if (status == TCS_OK) status = tcsi_json_parse(answer.data, answer.size, &arena, &root, err);
    if (status == TCS_OK && json) printf("%s\n", answer.data);
    else if (status == TCS_OK) print_document(root);
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&answer);
    return status;
}
