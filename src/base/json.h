/* base/json.h -- JSON (RFC 8259): a writer that cannot produce invalid documents and a reader of whole documents.
 * Numbers are written with the fewest digits that read back to the same double; NaN and infinities become null.
 * The reader builds a tree in an arena, refuses anything that is not JSON with line and column, and bounds depth.
 * Threads: one user per writer or tree. */
#ifndef TCS_BASE_JSON_H
#define TCS_BASE_JSON_H

#include "base/arena.h"
#include "base/buffer.h"

/* ---- writing ---- */
enum { TCSI_JSON_DEPTH_MAX = 64 };

/* Calls form `begin_object key value key begin_array ... end_array end_object`; a wrong order asserts.
 * Out of memory or over the limit is remembered and returned by finish. */
typedef struct tcsi_json_writer {
    tcsi_buffer *out;
    bool pretty;                           /* two-space indentation */
    int depth;
    char kind[TCSI_JSON_DEPTH_MAX];        /* '{' or '[' */
    bool has_items[TCSI_JSON_DEPTH_MAX];
    bool after_key;
    tcs_status status;
} tcsi_json_writer;

void tcsi_json_writer_init(tcsi_json_writer *writer, tcsi_buffer *out, bool pretty);
void tcsi_json_begin_object(tcsi_json_writer *writer);
void tcsi_json_end_object(tcsi_json_writer *writer);
void tcsi_json_begin_array(tcsi_json_writer *writer);
void tcsi_json_end_array(tcsi_json_writer *writer);
void tcsi_json_key(tcsi_json_writer *writer, const char *key);
void tcsi_json_string(tcsi_json_writer *writer, const char *text); /* NULL: null; invalid UTF-8 becomes U+FFFD */
void tcsi_json_number(tcsi_json_writer *writer, double value);
void tcsi_json_integer(tcsi_json_writer *writer, int64_t value);
void tcsi_json_bool(tcsi_json_writer *writer, bool value);
void tcsi_json_null(tcsi_json_writer *writer);
void tcsi_json_raw(tcsi_json_writer *writer, const char *text);    /* a value that is JSON already: the caller's promise */
/* A key and its value. */
void tcsi_json_put_string(tcsi_json_writer *writer, const char *key, const char *text);
void tcsi_json_put_number(tcsi_json_writer *writer, const char *key, double value);
void tcsi_json_put_integer(tcsi_json_writer *writer, const char *key, int64_t value);
void tcsi_json_put_bool(tcsi_json_writer *writer, const char *key, bool value);
tcs_status tcsi_json_finish(tcsi_json_writer *writer, tcs_error *err) TCS_WARN_UNUSED;

/* ---- reading ---- */
typedef enum tcsi_json_type {
    TCSI_JSON_NULL, TCSI_JSON_FALSE, TCSI_JSON_TRUE, TCSI_JSON_NUMBER, TCSI_JSON_STRING, TCSI_JSON_ARRAY, TCSI_JSON_OBJECT
} tcsi_json_type;

typedef struct tcsi_json_value tcsi_json_value;
struct tcsi_json_value { /* 48 bytes: a line may hold a million, and sizes fit 32 bits */
    tcsi_json_type type;
    uint32_t text_size;
    const char *text;              /* STRING: UTF-8, 0-terminated; NUMBER: as written */
    double number;                 /* NUMBER */
    const char *key;               /* when a member of an object */
    uint32_t key_size;             /* bytes of key, which may hold a 0 byte */
    uint32_t item_count;           /* ARRAY, OBJECT */
    const tcsi_json_value *items;  /* ARRAY: elements; OBJECT: members in order of appearance */
};

/* The tree lives in arena and does not refer to text afterwards. */
tcs_status tcsi_json_parse(const char *text, size_t size, tcsi_arena *arena, const tcsi_json_value **ret_root,
                           tcs_error *err) TCS_WARN_UNUSED;
const tcsi_json_value *tcsi_json_get(const tcsi_json_value *object, const char *key); /* NULL when absent or no object */
/* Of a member; "" and fallback when it is absent, of another type, or there is no object. */
const char *tcsi_json_text_of(const tcsi_json_value *object, const char *key);
double tcsi_json_number_of(const tcsi_json_value *object, const char *key, double fallback);

/* The shortest decimal that reads back to value; at least TCSI_NUMBER_TEXT_SIZE bytes; returns the length. */
enum { TCSI_NUMBER_TEXT_SIZE = 32 };
size_t tcsi_number_format(double value, char *ret_text);

#endif
