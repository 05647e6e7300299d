/* knowledge/yaml.h -- a YAML document as a tree in which every piece knows its line.
 * A plain subset: one document, maps with text keys, lists, texts.  No anchors and aliases (a few lines of them unfold into gigabytes), no
 * tags, no key twice.  What a text means (number, duration, expression) is for the reader of the tree to say, so that `no` stays a
 * name and errors of meaning have lines as errors of form do. */
#ifndef TCS_KNOWLEDGE_YAML_H
#define TCS_KNOWLEDGE_YAML_H

#include "base/arena.h"
#include "knowledge/problems.h"

enum { TCSI_YAML_DEPTH_MAX = 16, TCSI_YAML_SIZE_MAX = 1 << 20, TCSI_YAML_NODE_COUNT_MAX = 1 << 17 };

typedef enum tcsi_yaml_kind { TCSI_YAML_TEXT, TCSI_YAML_LIST, TCSI_YAML_MAP } tcsi_yaml_kind;

typedef struct tcsi_yaml tcsi_yaml;
struct tcsi_yaml {
    tcsi_yaml_kind kind;
    bool is_quoted;         /* TEXT: so that "" differs from nothing */
    size_t line;            /* from 1; of a map's member, of its key */
    const char *key;        /* of a map's member, otherwise NULL */
    const char *text;       /* TEXT */
    tcsi_yaml *first, *last; /* LIST, MAP: items */
    tcsi_yaml *next;
    size_t count;
};

/* Problems of form go to problems (then *ret_root is NULL); an empty document is an empty map.  E_MEMORY; E_UNSUPPORTED in builds
 * without libyaml. */
tcs_status tcsi_yaml_parse(const char *text, size_t size, tcsi_arena *arena, tcsi_problems *problems, const tcsi_yaml **ret_root,
                           tcs_error *err) TCS_WARN_UNUSED;
const tcsi_yaml *tcsi_yaml_get(const tcsi_yaml *map, const char *key); /* NULL: absent, or not a map */

#endif
