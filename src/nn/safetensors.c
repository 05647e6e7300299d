/* nn/safetensors.c -- reads and writes safetensors files (safetensors.h has the layout).
 *
 * Reading goes in four steps, each of which trusts only what the ones before have checked: the header as JSON; every tensor's own entry
 * (type, shape, and a place inside the data of just the size that these ask for); the places and names together, sorted, so that gaps,
 * overlaps and doubles lie side by side; the net's weights against the tensors.  Only then are numbers written into the net.
 * SPDX-License-Identifier: Apache-2.0 */
#include "nn/safetensors.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = 8, BORDER = 8, HEADER_SIZE_MAX = 100000000, TREE_SIZE_MAX = 1 << 28, SHOWN_LENGTH = 64 };

static const char NOTES_KEY[] = "__metadata__";

/* ---- numbers ---- */

static uint64_t get_bits(const unsigned char *at, size_t size)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++) bits |= (uint64_t)at[i] << 8 * i;
    return bits;
}

static void put_bits(char *at, uint64_t bits, size_t size)
{
    for (size_t i = 0; i < size; i++) at[i] = (char)(bits >> 8 * i);
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float read_f32(const unsigned char *at)
{
    return float_of((uint32_t)get_bits(at, 4));
}

static float read_bf16(const unsigned char *at)
{
    return float_of((uint32_t)get_bits(at, 2) << 16);
}

/* IEEE binary16: 1 sign, 5 exponent, 10 fraction. */
static float read_f16(const unsigned char *at)
{
    uint32_t bits = (uint32_t)get_bits(at, 2), exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value = exponent == 31 ? (fraction ? NAN : INFINITY)
                  : exponent == 0 ? (float)fraction * 0x1p-24f
                                  : ldexpf((float)(1024 + fraction), (int)exponent - 25);
    return bits >> 15 ? -value : value;
}

static float read_f64(const unsigned char *at)
{
    uint64_t bits = get_bits(at, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value; /* too large becomes infinite, and is refused as such */
}

typedef struct number_type {
    const char *name;
    size_t size;
    float (*read)(const unsigned char *at);
} number_type;

static const number_type types[] = { { "F32", 4, read_f32 }, { "F16", 2, read_f16 }, { "BF16", 2, read_bf16 }, { "F64", 8, read_f64 } };

/* ---- words for people ---- */

/* A name from a file as it may stand in a message: cut to a line's worth, without control characters. */
typedef struct shown {
    char text[SHOWN_LENGTH + 4];
} shown;

static shown show(const char *name)
{
    shown copy;
    size_t length = 0;
    for (; name[length] && length < SHOWN_LENGTH; length++) {
        unsigned char c = (unsigned char)name[length];
        copy.text[length] = c < ' ' || c == 127 ? '?' : (char)c;
    }
    if (name[length])
        while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80) length--; /* not inside a character */
    snprintf(copy.text + length, sizeof copy.text - length, "%s", name[length] ? "..." : "");
    return copy;
}

/* (3,4) */
static shown show_shape(const size_t *dims, size_t dim_count)
{
    shown copy = { "(" };
    size_t length = 1;
    for (size_t i = 0; i < dim_count && length < SHOWN_LENGTH; i++)
        length += (size_t)snprintf(copy.text + length, sizeof copy.text - length, "%s%zu", i > 0 ? "," : "", dims[i]);
    if (length < SHOWN_LENGTH) snprintf(copy.text + length, sizeof copy.text - length, ")");
    else snprintf(copy.text + SHOWN_LENGTH, sizeof copy.text - SHOWN_LENGTH, "...");
    return copy;
}

/* "; nearest: 'name'", or nothing. */
static shown show_nearest(const char *name, const char *const *names, size_t name_count)
{
    shown copy = { "" };
    const char *nearest = tcsi_text_nearest(name, names, name_count);
    if (nearest) snprintf(copy.text, sizeof copy.text, "; nearest: '%.50s'", show(nearest).text);
    return copy;
}

/* ---- the header ---- */

typedef struct tensor {
    const char *name;
    const number_type *type;
    size_t *dims;
    size_t dim_count, count;
    size_t begin, end;  /* bytes of data */
    bool is_known;      /* a weight of the net has this name */
} tensor;

typedef struct weight_file {
    tcsi_arena arena;           /* everything below that is not data */
    const tcsi_json_value *root;
    const tcsi_json_value *notes; /* NULL: none */
    const unsigned char *data;
    size_t data_size;
    tensor *tensors;
    size_t tensor_count;
} weight_file;

static tcs_status parse_header(weight_file *file, const unsigned char *bytes, size_t size, tcs_error *err)
{
    if (size < LENGTH_SIZE)
        return tcsi_fail(err, TCS_E_FORMAT, "%zu bytes, expected a safetensors file, which begins with the length of its header", size);
    uint64_t length = get_bits(bytes, LENGTH_SIZE);
    size_t left = size - LENGTH_SIZE;
    if (length > HEADER_SIZE_MAX)
        return tcsi_fail(err, TCS_E_FORMAT, "a header of %llu bytes, expected at most %d (is it a safetensors file?)",
                         (unsigned long long)length, HEADER_SIZE_MAX);
    if (length > left)
        return tcsi_fail(err, TCS_E_FORMAT, "truncated: a header of %llu bytes, of which %zu are there", (unsigned long long)length, left);
    if (length == 0 || bytes[LENGTH_SIZE] != '{')
        return tcsi_fail(err, TCS_E_FORMAT, "the header does not begin with '{' (is it a safetensors file?)");
    tcs_status status = tcsi_json_parse((const char *)bytes + LENGTH_SIZE, (size_t)length, &file->arena, &file->root, err);
    if (status != TCS_OK) tcsi_fail_prefix(err, "the header");
    file->data = bytes + LENGTH_SIZE + length;
    file->data_size = left - (size_t)length;
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names that stand twice, or hold a 0 byte, would mean different things to different readers. */
static tcs_status check_keys(weight_file *file, const tcsi_json_value *object, tcs_error *err)
{
    const char **keys = TCSI_ARENA_NEW(&file->arena, const char *, object->item_count + 1);
    if (!keys) return tcsi_fail_memory(err, "the header of a safetensors file");
    for (size_t i = 0; i < object->item_count; i++) {
        keys[i] = object->items[i].key;
        if (strlen(keys[i]) != object->items[i].key_size)
            return tcsi_fail(err, TCS_E_FORMAT, "the header has a name with a 0 byte after '%s'", show(keys[i]).text);
    }
    qsort(keys, object->item_count, sizeof *keys, by_text);
    for (size_t i = 1; i < object->item_count; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0) return tcsi_fail(err, TCS_E_FORMAT, "'%s' stands twice in the header", show(keys[i]).text);
    return TCS_OK;
}

static tcs_status check_notes(weight_file *file, const tcsi_json_value *notes, tcs_error *err)
{
    bool is_sound = notes->type == TCSI_JSON_OBJECT;
    for (size_t i = 0; is_sound && i < notes->item_count; i++) is_sound = notes->items[i].type == TCSI_JSON_STRING;
    if (!is_sound) return tcsi_fail(err, TCS_E_FORMAT, "%s in the header is no object of texts", NOTES_KEY);
    file->notes = notes;
    return check_keys(file, notes, err);
}

/* A whole number as JSON writes it, without sign, point or exponent. */
static bool whole_number(const tcsi_json_value *value, size_t *ret)
{
    size_t number = 0;
    if (value->type != TCSI_JSON_NUMBER) return false;
    for (const char *at = value->text; *at; at++) {
        if (*at < '0' || *at > '9' || number > (SIZE_MAX - 9) / 10) return false;
        number = number * 10 + (size_t)(*at - '0');
    }
    *ret = number;
    return true;
}

static bool whole_numbers(const tcsi_json_value *array, size_t *ret_numbers)
{
    for (size_t i = 0; i < array->item_count; i++)
        if (!whole_number(&array->items[i], &ret_numbers[i])) return false;
    return true;
}

/* {"dtype":"F32","shape":[...],"data_offsets":[begin,end]} and nothing else. */
static bool find_parts(const tcsi_json_value *entry, const tcsi_json_value *parts[3])
{
    static const char *const keys[3] = { "dtype", "shape", "data_offsets" };
    static const tcsi_json_type kinds[3] = { TCSI_JSON_STRING, TCSI_JSON_ARRAY, TCSI_JSON_ARRAY };
    if (entry->type != TCSI_JSON_OBJECT || entry->item_count != 3) return false;
    for (size_t i = 0; i < 3; i++) {
        parts[i] = tcsi_json_get(entry, keys[i]);
        if (!parts[i] || parts[i]->type != kinds[i]) return false;
    }
    return parts[2]->item_count == 2;
}

static const number_type *find_type(const char *name)
{
    for (size_t i = 0; i < TCS_COUNT(types); i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

static bool count_numbers(const size_t *dims, size_t dim_count, size_t *ret)
{
    *ret = 1;
    for (size_t i = 0; i < dim_count; i++)
        if (!tcsi_multiply(*ret, dims[i], ret)) return false;
    return true;
}

static tcs_status read_entry(weight_file *file, const tcsi_json_value *entry, tensor *one, tcs_error *err)
{
    const tcsi_json_value *parts[3];
    size_t offsets[2], size;
    shown name = show(entry->key);
    one->name = entry->key;
    if (!find_parts(entry, parts))
        return tcsi_fail(err, TCS_E_FORMAT, "tensor '%s': expected a dtype, a shape and two data_offsets", name.text);
    one->type = find_type(parts[0]->text);
    if (!one->type)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "tensor '%s' is of type %s, expected F32, F16, BF16 or F64", name.text,
                         show(parts[0]->text).text);
    one->dim_count = parts[1]->item_count;
    one->dims = TCSI_ARENA_NEW(&file->arena, size_t, one->dim_count + 1);
    if (!one->dims) return tcsi_fail_memory(err, "the header of a safetensors file");
    if (!whole_numbers(parts[1], one->dims) || !whole_numbers(parts[2], offsets))
        return tcsi_fail(err, TCS_E_FORMAT, "tensor '%s': its shape and data_offsets are not whole numbers", name.text);
    if (!count_numbers(one->dims, one->dim_count, &one->count) || !tcsi_multiply(one->count, one->type->size, &size))
        return tcsi_fail(err, TCS_E_FORMAT, "tensor '%s': its shape %s is larger than any memory", name.text,
                         show_shape(one->dims, one->dim_count).text);
    one->begin = offsets[0];
    one->end = offsets[1];
    if (one->begin > one->end || one->end > file->data_size)
        return tcsi_fail(err, TCS_E_FORMAT, "tensor '%s' stands at bytes %zu to %zu of the data, which has %zu (is it truncated?)",
                         name.text, one->begin, one->end, file->data_size);
    if (one->end - one->begin != size)
        return tcsi_fail(err, TCS_E_FORMAT, "tensor '%s': %zu bytes of data, expected %zu for shape %s of %s", name.text,
                         one->end - one->begin, size, show_shape(one->dims, one->dim_count).text, one->type->name);
    return TCS_OK;
}

static int by_place(const void *a, const void *b)
{
    const tensor *left = a, *right = b;
    if (left->begin != right->begin) return left->begin < right->begin ? -1 : 1;
    return (left->end > right->end) - (left->end < right->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tensor *)a)->name, ((const tensor *)b)->name);
}

/* One tensor after the other, from the first byte to the last. */
static tcs_status check_places(weight_file *file, tcs_error *err)
{
    size_t at = 0;
    qsort(file->tensors, file->tensor_count, sizeof *file->tensors, by_place);
    for (size_t i = 0; i < file->tensor_count; i++) {
        const tensor *one = &file->tensors[i];
        if (one->begin != at)
            return tcsi_fail(err, TCS_E_FORMAT, "tensor '%s' begins at byte %zu of the data, expected %zu: %s", show(one->name).text,
                             one->begin, at, one->begin < at ? "it overlaps the one before" : "there is a gap before it");
        at = one->end;
    }
    if (at != file->data_size)
        return tcsi_fail(err, TCS_E_FORMAT, "%zu bytes of data, expected %zu: the last tensor ends there", file->data_size, at);
    return TCS_OK;
}

static tcs_status read_entries(weight_file *file, tcs_error *err)
{
    tcs_status status = check_keys(file, file->root, err);
    file->tensors = TCSI_ARENA_NEW(&file->arena, tensor, file->root->item_count + 1);
    if (status == TCS_OK && !file->tensors) status = tcsi_fail_memory(err, "the header of a safetensors file");
    for (size_t i = 0; i < file->root->item_count && status == TCS_OK; i++) {
        const tcsi_json_value *entry = &file->root->items[i];
        if (strcmp(entry->key, NOTES_KEY) == 0) {
            status = check_notes(file, entry, err);
            continue;
        }
        tensor *one = &file->tensors[file->tensor_count++];
        *one = (tensor){ 0 };
        status = read_entry(file, entry, one, err);
    }
    if (status == TCS_OK) status = check_places(file, err);
    if (status == TCS_OK) qsort(file->tensors, file->tensor_count, sizeof *file->tensors, by_name);
    return status;
}

static tcs_status open_file(weight_file *file, const void *bytes, size_t size, tcs_error *err)
{
    *file = (weight_file){ 0 };
    tcsi_arena_init(&file->arena, TREE_SIZE_MAX);
    tcs_status status = parse_header(file, bytes, size, err);
    if (status == TCS_OK) status = read_entries(file, err);
    if (status != TCS_OK) tcsi_arena_deinit(&file->arena);
    return status;
}

/* ---- the tensors and the net ---- */

static tcs_status refuse_unknown(const tcsi_net *net, weight_file *file, const tensor *one, tcs_error *err)
{
    const char **names = TCSI_ARENA_NEW(&file->arena, const char *, net->tensor_count + 1);
    if (!names) return tcsi_fail_memory(err, "the names of weights");
    for (size_t i = 0; i < net->tensor_count; i++) names[i] = net->tensors[i].name;
    return tcsi_fail(err, TCS_E_INVALID, "tensor '%s' is none of the net's %zu weights%s", show(one->name).text, net->tensor_count,
                     show_nearest(one->name, names, net->tensor_count).text);
}

/* The tensor of every weight; all tensors belong to one, and have its shape. */
static tcs_status match(const tcsi_net *net, weight_file *file, tensor **of_weights, tcs_error *err)
{
    for (size_t i = 0; i < net->tensor_count; i++) {
        tensor wanted = { .name = net->tensors[i].name };
        of_weights[i] = bsearch(&wanted, file->tensors, file->tensor_count, sizeof wanted, by_name);
        if (of_weights[i]) of_weights[i]->is_known = true;
    }
    for (size_t i = 0; i < file->tensor_count; i++)
        if (!file->tensors[i].is_known) return refuse_unknown(net, file, &file->tensors[i], err);
    for (size_t i = 0; i < net->tensor_count; i++) {
        const tcsi_weight *weight = &net->tensors[i];
        const tensor *one = of_weights[i];
        if (!one)
            return tcsi_fail(err, TCS_E_INVALID, "tensor '%s' is missing, expected all %zu weights of the net", weight->name,
                             net->tensor_count);
        if (one->dim_count != weight->dim_count || memcmp(one->dims, weight->dims, weight->dim_count * sizeof *weight->dims) != 0)
            return tcsi_fail(err, TCS_E_INVALID, "tensor '%s' has shape %s, expected %s", weight->name,
                             show_shape(one->dims, one->dim_count).text, show_shape(weight->dims, weight->dim_count).text);
    }
    return TCS_OK;
}

static tcs_status check_numbers(const weight_file *file, tcs_error *err)
{
    for (size_t i = 0; i < file->tensor_count; i++) {
        const tensor *one = &file->tensors[i];
        for (size_t k = 0; k < one->count; k++) {
            float value = one->type->read(file->data + one->begin + k * one->type->size);
            if (!isfinite(value))
                return tcsi_fail(err, TCS_E_INVALID, "number %zu of tensor '%s' is %s, expected a finite float", k, one->name,
                                 isnan(value) ? "not a number" : "infinite");
        }
    }
    return TCS_OK;
}

static void copy_numbers(tcsi_net *net, const weight_file *file, tensor *const *of_weights)
{
    for (size_t i = 0; i < net->tensor_count; i++) {
        const tensor *one = of_weights[i];
        float *values = tcsi_net_values(net, &net->tensors[i]);
        for (size_t k = 0; k < one->count; k++) values[k] = one->type->read(file->data + one->begin + k * one->type->size);
    }
}

tcs_status tcsi_safetensors_load(tcsi_net *net, const void *bytes, size_t size, tcs_error *err)
{
    weight_file file;
    TCS_ASSERT(net->is_finished);
    tcs_status status = open_file(&file, bytes, size, err);
    if (status != TCS_OK) return status;
    tensor **of_weights = TCSI_ARENA_NEW(&file.arena, tensor *, net->tensor_count + 1);
    status = of_weights ? match(net, &file, of_weights, err) : tcsi_fail_memory(err, "the names of weights");
    if (status == TCS_OK) status = check_numbers(&file, err);
    if (status == TCS_OK) copy_numbers(net, &file, of_weights);
    tcsi_arena_deinit(&file.arena);
    return status;
}

tcs_status tcsi_safetensors_note_text(const void *bytes, size_t size, const char *key, tcsi_buffer *out, tcs_error *err)
{
    weight_file file;
    tcs_status status = open_file(&file, bytes, size, err);
    if (status != TCS_OK) return status;
    const tcsi_json_value *note = tcsi_json_get(file.notes, key);
    status = note ? tcsi_buffer_append(out, note->text, note->text_size, err)
                  : tcsi_fail(err, TCS_E_INVALID, "the header has no note '%s'", key);
    tcsi_arena_deinit(&file.arena);
    return status;
}

/* ---- writing ---- */

static tcs_status check_keys_differ(const tcsi_safetensors_note *notes, size_t note_count, tcs_error *err)
{
    for (size_t i = 0; i < note_count; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(notes[i].key, notes[k].key) == 0) return tcsi_fail(err, TCS_E_INVALID, "a second note '%s'", notes[i].key);
    return TCS_OK;
}

static size_t print_tensor(tcsi_json_writer *writer, const tcsi_weight *weight, size_t begin)
{
    size_t end = begin + weight->count * sizeof(float);
    tcsi_json_key(writer, weight->name);
    tcsi_json_begin_object(writer);
    tcsi_json_key(writer, "dtype");
    tcsi_json_string(writer, "F32");
    tcsi_json_key(writer, "shape");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < weight->dim_count; i++) tcsi_json_integer(writer, (int64_t)weight->dims[i]);
    tcsi_json_end_array(writer);
    tcsi_json_key(writer, "data_offsets");
    tcsi_json_begin_array(writer);
    tcsi_json_integer(writer, (int64_t)begin);
    tcsi_json_integer(writer, (int64_t)end);
    tcsi_json_end_array(writer);
    tcsi_json_end_object(writer);
    return end;
}

static tcs_status print_header(const tcsi_net *net, const tcsi_safetensors_note *notes, size_t note_count, tcsi_buffer *header,
                               size_t *ret_data_size, tcs_error *err)
{
    tcsi_json_writer writer;
    size_t end = 0;
    tcsi_json_writer_init(&writer, header, false);
    tcsi_json_begin_object(&writer);
    if (note_count > 0) {
        tcsi_json_key(&writer, NOTES_KEY);
        tcsi_json_begin_object(&writer);
        for (size_t i = 0; i < note_count; i++) {
            tcsi_json_key(&writer, notes[i].key);
            tcsi_json_string(&writer, notes[i].text);
        }
        tcsi_json_end_object(&writer);
    }
    for (size_t i = 0; i < net->tensor_count; i++) end = print_tensor(&writer, &net->tensors[i], end);
    tcsi_json_end_object(&writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    while (status == TCS_OK && header->size % BORDER != 0) status = tcsi_buffer_puts(header, " ", err);
    *ret_data_size = end;
    return status;
}

/* Into room that is there. */
static void put_file(const tcsi_net *net, const tcsi_buffer *header, tcsi_buffer *out)
{
    char *at = out->data + out->size;
    put_bits(at, header->size, LENGTH_SIZE);
    memcpy(at + LENGTH_SIZE, header->data, header->size);
    at += LENGTH_SIZE + header->size;
    for (size_t i = 0; i < net->tensor_count; i++) {
        const float *values = tcsi_net_values(net, &net->tensors[i]);
        for (size_t k = 0; k < net->tensors[i].count; k++, at += sizeof(float)) {
            uint32_t bits;
            memcpy(&bits, &values[k], sizeof bits);
            put_bits(at, bits, sizeof bits);
        }
    }
    *at = 0;
    out->size = (size_t)(at - out->data);
}

tcs_status tcsi_safetensors_save(const tcsi_net *net, const tcsi_safetensors_note *notes, size_t note_count, tcsi_buffer *out,
                                 tcs_error *err)
{
    tcsi_buffer header;
    size_t data_size = 0;
    TCS_ASSERT(net->is_finished);
    tcs_status status = tcsi_net_check_finite(net, err);
    if (status == TCS_OK) status = check_keys_differ(notes, note_count, err);
    if (status != TCS_OK) return status;
    tcsi_buffer_init(&header, HEADER_SIZE_MAX);
    status = print_header(net, notes, note_count, &header, &data_size, err);
    if (status == TCS_OK) status = tcsi_buffer_reserve(out, LENGTH_SIZE + header.size + data_size, err);
    if (status == TCS_OK) put_file(net, &header, out);
    tcsi_buffer_deinit(&header);
    return status;
}

/* ---- files ---- */

/* The longest file that can hold this net: a full header and numbers of 8 bytes. */
static size_t file_size_max(const tcsi_net *net)
{
    size_t numbers = 0, size;
    for (size_t i = 0; i < net->tensor_count; i++) numbers += net->tensors[i].count;
    return tcsi_multiply(numbers, sizeof(double), &size) && size < SIZE_MAX / 2 - HEADER_SIZE_MAX ? LENGTH_SIZE + HEADER_SIZE_MAX + size
                                                                                                  : SIZE_MAX / 2;
}

tcs_status tcsi_safetensors_write(const tcsi_net *net, const tcsi_safetensors_note *notes, size_t note_count, const char *path,
                                  tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, file_size_max(net));
    tcs_status status = tcsi_safetensors_save(net, notes, note_count, &bytes, err);
    if (status != TCS_OK) tcsi_fail_prefix(err, "%s", path);
    else status = tcsi_file_write(path, bytes.data, bytes.size, err);
    tcsi_buffer_deinit(&bytes);
    return status;
}

tcs_status tcsi_safetensors_read(tcsi_net *net, const char *path, tcs_error *err)
{
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, file_size_max(net));
    tcs_status status = tcsi_file_read(path, &bytes, err);
    if (status == TCS_E_LIMIT)
        status = tcsi_fail(err, TCS_E_INVALID, "%s: more than %zu bytes, expected the weights of a net that needs less", path,
                           bytes.size_max);
    if (status == TCS_OK) {
        status = tcsi_safetensors_load(net, bytes.data ? bytes.data : "", bytes.size, err);
        if (status != TCS_OK) tcsi_fail_prefix(err, "%s", path);
    }
    tcsi_buffer_deinit(&bytes);
    return status;
}
