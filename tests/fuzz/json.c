/* tests/fuzz/json.c -- JSON documents: what is read can be written, and reads the same again. */
#include "fuzz.h"

static void write_value(tcsi_json_writer *writer, const tcsi_json_value *value)
{
    switch (value->type) {
    case TCSI_JSON_NULL: tcsi_json_null(writer); break;
    case TCSI_JSON_FALSE: tcsi_json_bool(writer, false); break;
    case TCSI_JSON_TRUE: tcsi_json_bool(writer, true); break;
    case TCSI_JSON_NUMBER: tcsi_json_number(writer, value->number); break;
    case TCSI_JSON_STRING: tcsi_json_string(writer, value->text); break;
    case TCSI_JSON_ARRAY:
        tcsi_json_begin_array(writer);
        for (size_t i = 0; i < value->item_count; i++) write_value(writer, &value->items[i]);
        tcsi_json_end_array(writer);
        break;
    case TCSI_JSON_OBJECT:
        tcsi_json_begin_object(writer);
        for (size_t i = 0; i < value->item_count; i++) {
            tcsi_json_key(writer, value->items[i].key);
            write_value(writer, &value->items[i]);
        }
        tcsi_json_end_object(writer);
        break;
    }
}

static int depth_of(const tcsi_json_value *value)
{
    int deepest = 0;
    for (size_t i = 0; i < value->item_count; i++) {
        int depth = depth_of(&value->items[i]);
        if (depth > deepest) deepest = depth;
    }
    return deepest + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tcsi_arena arena;
    const tcsi_json_value *root, *again;
    tcs_error err = { 0 };
    tcsi_arena_init(&arena, 1 << 26);
    if (tcsi_json_parse((const char *)bytes, size, &arena, &root, &err) == TCS_OK && depth_of(root) < TCSI_JSON_DEPTH_MAX - 1) {
        tcsi_buffer first, second;
        tcsi_json_writer writer;
        tcsi_buffer_init(&first, 1 << 26);
        tcsi_buffer_init(&second, 1 << 26);
        tcsi_json_writer_init(&writer, &first, false);
        write_value(&writer, root);
        FUZZ_REQUIRE(tcsi_json_finish(&writer, &err) == TCS_OK);
        FUZZ_REQUIRE(tcsi_json_parse(first.data, first.size, &arena, &again, &err) == TCS_OK);
        tcsi_json_writer_init(&writer, &second, false);
        write_value(&writer, again);
        FUZZ_REQUIRE(tcsi_json_finish(&writer, &err) == TCS_OK);
        FUZZ_REQUIRE(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
        tcsi_buffer_deinit(&first);
        tcsi_buffer_deinit(&second);
    }
    tcsi_arena_deinit(&arena);
    return 0;
}
