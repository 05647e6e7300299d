/* knowledge/yaml.c -- the only file that includes yaml.h: libyaml's events, made into a tree.
 * A stack of open collections, at most TCSI_YAML_DEPTH_MAX deep; each event hangs one node into the topmost.
 * SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/yaml.h"

#include <string.h>
#include <yaml.h>

typedef struct reader {
    tcsi_arena *arena;
    tcsi_problems *problems;
    tcsi_yaml *open[TCSI_YAML_DEPTH_MAX];
    size_t depth, node_count;
    const char *key;  /* of the topmost map: read, its value not yet */
    size_t key_line;
    tcsi_yaml *root;
    bool is_memory_out;
} reader;

const tcsi_yaml *tcsi_yaml_get(const tcsi_yaml *map, const char *key)
{
    if (!map || map->kind != TCSI_YAML_MAP) return NULL;
    for (const tcsi_yaml *item = map->first; item; item = item->next)
        if (strcmp(item->key, key) == 0) return item;
    return NULL;
}

/* Hangs a new node where the document stands; false: there is a problem. */
static bool add(reader *r, tcsi_yaml_kind kind, size_t line, tcsi_yaml **ret_node)
{
    tcsi_yaml *parent = r->depth > 0 ? r->open[r->depth - 1] : NULL;
    if (r->node_count++ == TCSI_YAML_NODE_COUNT_MAX) {
        tcsi_problems_add(r->problems, line, "more than %d entries", TCSI_YAML_NODE_COUNT_MAX);
        return false;
    }
    tcsi_yaml *node = TCSI_ARENA_NEW(r->arena, tcsi_yaml, 1);
    r->is_memory_out = !node;
    if (!node) return false;
    *node = (tcsi_yaml){ .kind = kind, .line = r->key ? r->key_line : line, .key = r->key };
    r->key = NULL;
    if (!parent) r->root = node;
    else if (parent->last) parent->last->next = node;
    else parent->first = node;
    if (parent) {
        parent->last = node;
        parent->count++;
    }
    *ret_node = node;
    return true;
}

static bool begin(reader *r, tcsi_yaml_kind kind, size_t line)
{
    const tcsi_yaml *parent = r->depth > 0 ? r->open[r->depth - 1] : NULL;
    if (parent && parent->kind == TCSI_YAML_MAP && !r->key) {
        tcsi_problems_add(r->problems, line, "a list or map as a name; expected a text before the colon");
        return false;
    }
    if (r->depth == TCSI_YAML_DEPTH_MAX) {
        tcsi_problems_add(r->problems, line, "nested more than %d deep", TCSI_YAML_DEPTH_MAX);
        return false;
    }
    tcsi_yaml *node;
    if (!add(r, kind, line, &node)) return false;
    r->open[r->depth++] = node;
    return true;
}

static bool scalar(reader *r, const yaml_event_t *event, size_t line)
{
    const tcsi_yaml *parent = r->depth > 0 ? r->open[r->depth - 1] : NULL;
    const char *bytes = (const char *)event->data.scalar.value;
    if (memchr(bytes, 0, event->data.scalar.length)) {
        tcsi_problems_add(r->problems, line, "a text with a 0 byte in it");
        return false;
    }
    const char *text = tcsi_arena_strndup(r->arena, bytes, event->data.scalar.length);
    r->is_memory_out = !text;
    if (!text) return false;
    if (parent && parent->kind == TCSI_YAML_MAP && !r->key) {
        const tcsi_yaml *before = tcsi_yaml_get(parent, text);
        if (before) tcsi_problems_add(r->problems, line, "'%.80s' a second time; it stands in line %zu already", text, before->line);
        r->key = text;
        r->key_line = line;
        return !before;
    }
    tcsi_yaml *node;
    if (!add(r, TCSI_YAML_TEXT, line, &node)) return false;
    node->text = text;
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return true;
}

static bool refuse(reader *r, size_t line, const char *what)
{
    tcsi_problems_add(r->problems, line, "%s", what);
    return false;
}

/* False: stop, there is a problem. */
static bool take(reader *r, const yaml_event_t *event)
{
    const size_t line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_ALIAS_EVENT: return refuse(r, line, "an alias (*name); say it again instead");
    case YAML_SCALAR_EVENT:
        if (event->data.scalar.anchor) return refuse(r, line, "an anchor (&name); aliases are not read");
        if (event->data.scalar.tag) return refuse(r, line, "a tag (!name); texts are read as they stand");
        return scalar(r, event, line);
    case YAML_SEQUENCE_START_EVENT:
        if (event->data.sequence_start.anchor) return refuse(r, line, "an anchor (&name); aliases are not read");
        return begin(r, TCSI_YAML_LIST, line);
    case YAML_MAPPING_START_EVENT:
        if (event->data.mapping_start.anchor) return refuse(r, line, "an anchor (&name); aliases are not read");
        return begin(r, TCSI_YAML_MAP, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: r->depth--; return true;
    case YAML_DOCUMENT_START_EVENT: return !r->root || refuse(r, line, "a second document (---); expected one");
    default: return true;
    }
}

static void tell_form(reader *r, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) r->is_memory_out = true;
    else tcsi_problems_add(r->problems, parser->problem_mark.line + 1, "%s%s%s (column %zu); expected YAML",
                           parser->context ? parser->context : "", parser->context ? ", " : "",
                           parser->problem ? parser->problem : "not YAML", parser->problem_mark.column + 1);
}

tcs_status tcsi_yaml_parse(const char *text, size_t size, tcsi_arena *arena, tcsi_problems *problems, const tcsi_yaml **ret_root,
                           tcs_error *err)
{
    reader r = { .arena = arena, .problems = problems };
    yaml_parser_t parser;
    bool goes_on = true;
    *ret_root = NULL;
    if (size > TCSI_YAML_SIZE_MAX) {
        tcsi_problems_add(problems, 1, "%zu bytes; at most %d", size, TCSI_YAML_SIZE_MAX);
        return TCS_OK;
    }
    if (!yaml_parser_initialize(&parser)) return tcsi_fail_memory(err, "knowledge");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    while (goes_on) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            tell_form(&r, &parser);
            break;
        }
        goes_on = take(&r, &event) && event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (r.is_memory_out) return tcsi_fail_memory(err, "knowledge");
    if (problems->count > 0) return TCS_OK;
    tcsi_yaml *nothing;
    if (!r.root && !add(&r, TCSI_YAML_MAP, 1, &nothing)) return tcsi_fail_memory(err, "knowledge");
    *ret_root = r.root;
    return TCS_OK;
}
