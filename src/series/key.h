/* series/key.h -- what a series is called: a set of name=value tags.
 *
 * A key has at least one tag, no name twice, and its tags in the order of their names' bytes.  A tag whose value is empty is a tag that is
 * not there, as in Prometheus.  The metric's name is a tag as any other, under `__name__`.  Names and values are UTF-8 without the byte 0.
 *
 * Three forms of the same key:
 *   tags             pointers into whatever held them; nothing is copied
 *   canonical bytes  for each tag in order: size of the name (2 bytes, lowest first), the name, size of the value (2), the value.
 *                    Equal bytes, equal keys; the hash of a key is the hash of these bytes (seed 0)
 *   text             name{a="b",c="d"}, with \\ \" and \n in values.  What is no plain word stands in quotes: {"a name","a tag"="b"}
 *
 * Limits are constants, not settings: a key that one process took must never be one that the next refuses.
 * Threads: reentrant. */
#ifndef TCS_SERIES_KEY_H
#define TCS_SERIES_KEY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/fingerprint.h"

enum {
    TCSI_KEY_TAG_COUNT_MAX = 64,
    TCSI_KEY_NAME_SIZE_MAX = 256,
    TCSI_KEY_VALUE_SIZE_MAX = 2048,
    TCSI_KEY_SIZE_MAX = 8192, /* of the canonical bytes */
};

#define TCSI_KEY_METRIC "__name__"

/* One row per way in which tags are no key: name, text. */
#define TCSI_KEY_FAULT_LIST(X)                                                  \
    X(NONE, "it is a key")                                                      \
    X(EMPTY, "no tag with a value, expected at least one")                      \
    X(TOO_MANY_TAGS, "more than 64 tags")                                       \
    X(TOO_LONG, "a tag's name of more than 256 bytes, a value of more than 2048, or more than 8192 in all") \
    X(NO_TEXT, "a tag without a name, or one that is not UTF-8 or holds the byte 0") \
    X(DUPLICATE, "the same tag twice")

typedef enum tcsi_key_fault {
#define X(name, text) TCSI_KEY_##name,
    TCSI_KEY_FAULT_LIST(X)
#undef X
} tcsi_key_fault;

typedef struct tcsi_tag {
    const char *name, *value; /* not terminated */
    uint32_t name_size, value_size;
} tcsi_tag;

typedef struct tcsi_key {
    size_t tag_count;
    size_t size;          /* of the canonical bytes */
    tcsi_key_fault fault; /* the first one met */
    tcsi_tag tags[TCSI_KEY_TAG_COUNT_MAX];
} tcsi_key;

const char *tcsi_key_fault_text(tcsi_key_fault fault);

/* begin, add ..., finish.  The first fault of add is kept and returned by finish: a caller may add everything and ask once. */
void tcsi_key_begin(tcsi_key *key);
tcsi_key_fault tcsi_key_add(tcsi_key *key, const char *name, size_t name_size, const char *value, size_t value_size);
/* Sorts; the key may be used when it returns TCSI_KEY_NONE. */
tcsi_key_fault tcsi_key_finish(tcsi_key *key);

/* Gives the tag of that name, which the finished key must have, another value of at least one byte.  With a fault the key stays. */
tcsi_key_fault tcsi_key_set(tcsi_key *key, const char *name, const char *value, size_t value_size);

/* The tag of that name, or NULL. */
const tcsi_tag *tcsi_key_get(const tcsi_key *key, const char *name);

/* Writes key->size bytes, which is at most TCSI_KEY_SIZE_MAX; returns that number. */
size_t tcsi_key_encode(const tcsi_key *key, unsigned char *ret_bytes);
/* The tags point into bytes.  E_FORMAT: not the canonical bytes of a key. */
tcs_status tcsi_key_decode(const void *bytes, size_t size, tcsi_key *ret_key, tcs_error *err) TCS_WARN_UNUSED;
tcsi_fingerprint tcsi_key_fingerprint(const tcsi_key *key);

/* Appends the text form. */
tcs_status tcsi_key_print(const tcsi_key *key, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* The tags point into text or, where it had escapes, into arena.  E_FORMAT says at which byte what was expected. */
tcs_status tcsi_key_parse(const char *text, size_t size, tcsi_arena *arena, tcsi_key *ret_key, tcs_error *err) TCS_WARN_UNUSED;

#endif
