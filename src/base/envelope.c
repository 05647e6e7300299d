/* SPDX-License-Identifier: Apache-2.0 */
#include "base/envelope.h"

#include <string.h>

enum { LENGTH_SIZE = 8, BORDER = 8, HEADER_SIZE_MAX = 1 << 20 };

tcs_status tcsi_envelope_end(tcsi_json_writer *writer, const char *name, size_t state_size, tcs_error *err)
{
    tcsi_json_key(writer, name);
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "dtype", "U8");
    tcsi_json_key(writer, "shape");
    tcsi_json_begin_array(writer);
    tcsi_json_integer(writer, (int64_t)state_size);
    tcsi_json_end_array(writer);
    tcsi_json_key(writer, "data_offsets");
    tcsi_json_begin_array(writer);
    tcsi_json_integer(writer, 0);
    tcsi_json_integer(writer, (int64_t)state_size);
    tcsi_json_end_array(writer);
    tcsi_json_end_object(writer);
    tcsi_json_end_object(writer);
    tcs_status status = tcsi_json_finish(writer, err);
    while (status == TCS_OK && writer->out->size % BORDER != 0) status = tcsi_buffer_append(writer->out, " ", 1, err);
    return status;
}

static tcs_status write_header(const tcsi_envelope_note *notes, size_t note_count, size_t state_size, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer w;
    tcsi_json_writer_init(&w, out, false);
    tcsi_json_begin_object(&w);
    tcsi_json_key(&w, "__metadata__");
    tcsi_json_begin_object(&w);
    for (size_t i = 0; i < note_count; i++) tcsi_json_put_string(&w, notes[i].key, notes[i].text);
    tcsi_json_end_object(&w);
    return tcsi_envelope_end(&w, "state", state_size, err);
}

tcs_status tcsi_envelope_write(const tcsi_envelope_note *notes, size_t note_count, const void *state, size_t state_size, tcsi_buffer *out,
                               tcs_error *err)
{
    tcsi_buffer header;
    unsigned char length[LENGTH_SIZE];
    tcsi_buffer_init(&header, HEADER_SIZE_MAX);
    tcs_status status = write_header(notes, note_count, state_size, &header, err);
    for (size_t i = 0; i < LENGTH_SIZE; i++) length[i] = (unsigned char)((uint64_t)header.size >> 8 * i);
    if (status == TCS_OK) status = tcsi_buffer_append(out, length, sizeof length, err);
    if (status == TCS_OK) status = tcsi_buffer_append(out, header.data, header.size, err);
    if (status == TCS_OK) status = tcsi_buffer_append(out, state, state_size, err);
    tcsi_buffer_deinit(&header);
    return status;
}

static bool is_of(const tcsi_json_value *root, const char *format, size_t state_size)
{
    const tcsi_json_value *said = tcsi_json_get(tcsi_json_get(root, "__metadata__"), "format");
    const tcsi_json_value *offsets = tcsi_json_get(tcsi_json_get(root, "state"), "data_offsets");
    if (!said || said->type != TCSI_JSON_STRING || strcmp(said->text, format) != 0) return false;
    if (!offsets || offsets->type != TCSI_JSON_ARRAY || offsets->item_count != 2) return false;
    return offsets->items[0].type == TCSI_JSON_NUMBER && offsets->items[0].number == 0 && offsets->items[1].type == TCSI_JSON_NUMBER &&
           offsets->items[1].number == (double)state_size;
}

tcs_status tcsi_envelope_open(const void *bytes, size_t size, const char *format, const void **ret_state, size_t *ret_size, tcs_error *err)
{
    const unsigned char *at = bytes;
    const tcsi_json_value *root = NULL;
    tcs_error ignored;
    tcsi_arena arena;
    uint64_t length = 0;
    for (size_t i = 0; size >= LENGTH_SIZE && i < LENGTH_SIZE; i++) length |= (uint64_t)at[i] << 8 * i;
    if (size < LENGTH_SIZE || length == 0 || length > HEADER_SIZE_MAX || length > size - LENGTH_SIZE)
        return tcsi_fail(err, TCS_E_FORMAT, "no model: expected a safetensors file");
    const size_t state_size = size - LENGTH_SIZE - (size_t)length;
    tcsi_arena_init(&arena, (size_t)16 * HEADER_SIZE_MAX);
    const tcs_status parsed = tcsi_json_parse((const char *)at + LENGTH_SIZE, (size_t)length, &arena, &root, &ignored);
    const bool is_sound = parsed == TCS_OK && is_of(root, format, state_size);
    tcsi_arena_deinit(&arena);
    if (parsed == TCS_E_MEMORY) return tcsi_fail_memory(err, "a model's header");
    if (!is_sound) return tcsi_fail(err, TCS_E_FORMAT, "a model of another kind; expected '%s'", format);
    *ret_state = at + LENGTH_SIZE + length;
    *ret_size = state_size;
    return TCS_OK;
}
