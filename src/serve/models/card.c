/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/models/card.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { LENGTH_SIZE = 8, HEADER_SIZE_MAX = 1 << 24 };

static bool find_header(const void *bytes, size_t size, const char **ret_text, size_t *ret_size)
{
    const unsigned char *at = bytes;
    uint64_t length = 0;
    if (size < LENGTH_SIZE) return false;
    for (size_t i = 0; i < LENGTH_SIZE; i++) length |= (uint64_t)at[i] << 8 * i;
    if (length == 0 || length > HEADER_SIZE_MAX || length > size - LENGTH_SIZE) return false;
    *ret_text = (const char *)bytes + LENGTH_SIZE;
    *ret_size = (size_t)length;
    return true;
}

/* Texts that are JSON objects or arrays stand as such. */
static void put_text(tcsi_json_writer *writer, const char *key, const char *text)
{
    tcsi_arena arena;
    tcs_error err;
    const tcsi_json_value *root;
    tcsi_arena_init(&arena, HEADER_SIZE_MAX);
    if ((*text == '{' || *text == '[') && tcsi_json_parse(text, strlen(text), &arena, &root, &err) == TCS_OK) {
        tcsi_json_key(writer, key);
        tcsi_json_raw(writer, text);
    } else {
        tcsi_json_put_string(writer, key, text);
    }
    tcsi_arena_deinit(&arena);
}

tcs_status tcsi_model_lineage(const void *bytes, size_t size, tcsi_buffer *out, tcs_error *err)
{
    const char *text;
    size_t text_size;
    tcsi_arena arena;
    tcsi_json_writer writer;
    const tcsi_json_value *root = NULL;
    tcs_error failure = { 0 };
    if (!find_header(bytes, size, &text, &text_size)) return tcsi_fail(err, TCS_E_FORMAT, "no bundle: expected a safetensors file");
    tcsi_arena_init(&arena, (size_t)16 * HEADER_SIZE_MAX);
    tcs_status status = tcsi_json_parse(text, text_size, &arena, &root, &failure);
    const tcsi_json_value *notes = status == TCS_OK ? tcsi_json_get(root, "__metadata__") : NULL;
    if (status == TCS_E_MEMORY) status = tcsi_fail_memory(err, "a bundle's header");
    else if (!notes || notes->type != TCSI_JSON_OBJECT) status = tcsi_fail(err, TCS_E_FORMAT, "a bundle that says nothing of itself");
    if (status == TCS_OK) {
        tcsi_json_writer_init(&writer, out, false);
        tcsi_json_begin_object(&writer);
        for (size_t i = 0; i < notes->item_count; i++)
            if (notes->items[i].type == TCSI_JSON_STRING) put_text(&writer, notes->items[i].key, notes->items[i].text);
        tcsi_json_end_object(&writer);
        status = tcsi_json_finish(&writer, err);
    }
    tcsi_arena_deinit(&arena);
    return status;
}

/* ---- the card ---- */

static void put_hex(const unsigned char *bytes, size_t size, char *ret_text)
{
    for (size_t i = 0; i < size; i++) snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

static bool get_hex(const char *text, size_t size, unsigned char *ret_bytes)
{
    if (strlen(text) != 2 * size) return false;
    for (size_t i = 0; i < size; i++) {
        unsigned value;
        if (strspn(text + 2 * i, "0123456789abcdef") < 2 || sscanf(text + 2 * i, "%2x", &value) != 1) return false;
        ret_bytes[i] = (unsigned char)value;
    }
    return true;
}

/* What is signed; the hash covers the bytes, and with them the lineage. */
static tcs_status write_statement(const char *hash, const tcsi_card *card, tcsi_buffer *out, tcs_error *err)
{
    return tcsi_buffer_printf(out, err, "tocsin model 1\nhash %s\nname %s\nparent %s\nby %s\nnote %s\n", hash, card->name, card->parent,
                              card->by, card->note);
}

tcs_status tcsi_card_sign(tcsi_card *card, const char *hash, const unsigned char *key, tcsi_arena *arena, tcs_error *err)
{
    unsigned char signature[TCSI_SECRET_SIGNATURE_SIZE];
    char *texts = TCSI_ARENA_NEW(arena, char, 2 * (sizeof signature + TCSI_SECRET_PUBLIC_KEY_SIZE) + 2);
    tcsi_buffer statement;
    if (!texts) return tcsi_fail_memory(err, "a signature");
    tcsi_buffer_init(&statement, 1 << 20);
    tcs_status status = write_statement(hash, card, &statement, err);
    if (status == TCS_OK) status = tcsi_secret_sign(key, statement.data, statement.size, signature, err);
    tcsi_buffer_deinit(&statement);
    if (status != TCS_OK) return status;
    put_hex(signature, sizeof signature, texts);
    card->signature = texts;
    card->key = texts + 2 * sizeof signature + 1;
    put_hex(key + TCSI_SECRET_KEY_SIZE - TCSI_SECRET_PUBLIC_KEY_SIZE, TCSI_SECRET_PUBLIC_KEY_SIZE, (char *)card->key); /* its second half */
    return TCS_OK;
}

tcs_status tcsi_card_verify(const tcsi_card *card, const char *hash, const unsigned char *trusted,
                            unsigned char ret_signer[TCSI_SECRET_PUBLIC_KEY_SIZE], tcs_error *err)
{
    unsigned char signature[TCSI_SECRET_SIGNATURE_SIZE];
    tcsi_buffer statement;
    memset(ret_signer, 0, TCSI_SECRET_PUBLIC_KEY_SIZE);
    if (!*card->signature && !trusted) return TCS_OK;
    if (!*card->signature) return tcsi_fail(err, TCS_E_FORMAT, "nobody has signed it");
    if (!get_hex(card->signature, sizeof signature, signature) || !get_hex(card->key, TCSI_SECRET_PUBLIC_KEY_SIZE, ret_signer))
        return tcsi_fail(err, TCS_E_FORMAT, "its signature is none");
    if (trusted && memcmp(trusted, ret_signer, TCSI_SECRET_PUBLIC_KEY_SIZE) != 0)
        return tcsi_fail(err, TCS_E_FORMAT, "signed by %s, which is not the key that is trusted", card->key);
    tcsi_buffer_init(&statement, 1 << 20);
    tcs_status status = write_statement(hash, card, &statement, err);
    if (status == TCS_OK && !tcsi_secret_is_available()) status = tcsi_fail(err, TCS_E_UNSUPPORTED, "built without libsodium");
    if (status == TCS_OK && !tcsi_secret_verify(ret_signer, statement.data, statement.size, signature))
        status = tcsi_fail(err, TCS_E_FORMAT, "its signature is of something else: bytes or card were changed");
    tcsi_buffer_deinit(&statement);
    return status;
}

tcs_status tcsi_card_write(const tcsi_card *card, const char *hash, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "hash", hash);
    tcsi_json_put_string(&writer, "name", card->name);
    tcsi_json_put_string(&writer, "parent", card->parent);
    tcsi_json_put_string(&writer, "note", card->note);
    tcsi_json_put_string(&writer, "by", card->by);
    tcsi_json_key(&writer, "lineage");
    tcsi_json_raw(&writer, card->lineage);
    tcsi_json_put_string(&writer, "key", card->key);
    tcsi_json_put_string(&writer, "signature", card->signature);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static bool get_text(const tcsi_json_value *object, const char *key, const char **ret_text)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    *ret_text = "";
    if (!value) return true;
    if (value->type != TCSI_JSON_STRING || strlen(value->text) != value->text_size) return false;
    *ret_text = value->text;
    return true;
}

tcs_status tcsi_card_read(const char *text, tcsi_arena *arena, tcsi_card *ret_card, const char **ret_hash, tcs_error *err)
{
    const tcsi_json_value *root = NULL;
    tcsi_card card = { .lineage = "{}" };
    const tcs_status status = tcsi_json_parse(text, strlen(text), arena, &root, err);
    if (status != TCS_OK) return status;
    bool is_sound = root->type == TCSI_JSON_OBJECT && get_text(root, "hash", ret_hash) && get_text(root, "name", &card.name);
    is_sound = is_sound && get_text(root, "parent", &card.parent) && get_text(root, "note", &card.note) && get_text(root, "by", &card.by);
    is_sound = is_sound && get_text(root, "key", &card.key) && get_text(root, "signature", &card.signature);
    if (!is_sound) return tcsi_fail(err, TCS_E_FORMAT, "no card of a model");
    *ret_card = card;
    return TCS_OK;
}
