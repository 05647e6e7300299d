/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shard/verdicts.h"

#include <string.h>

enum { HEAD_SIZE = TCSI_HASH_SIZE + 8, ITEM_SIZE = 24 };

static void put(unsigned char *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static unsigned char digit(char c)
{
    return (unsigned char)(c <= '9' ? c - '0' : c - 'a' + 10);
}

tcs_status tcsi_verdicts_write(const char *model_hash, const tcsi_deep_answer *answers, size_t count, tcsi_buffer *out, tcs_error *err)
{
    unsigned char head[HEAD_SIZE] = { 0 };
    TCS_ASSERT(count <= TCSI_VERDICTS_COUNT_MAX);
    for (size_t i = 0; *model_hash && i < TCSI_HASH_SIZE; i++)
        head[i] = (unsigned char)(digit(model_hash[2 * i]) << 4 | digit(model_hash[2 * i + 1]));
    put(head + TCSI_HASH_SIZE, count, 4);
    tcs_status status = tcsi_buffer_append(out, head, sizeof head, err);
    for (size_t i = 0; status == TCS_OK && i < count; i++) {
        unsigned char item[ITEM_SIZE] = { 0 };
        uint32_t bits;
        memcpy(&bits, &answers[i].p_value, sizeof bits);
        put(item, answers[i].serial, 8);
        put(item + 8, answers[i].number, 4);
        put(item + 12, answers[i].is_untrained, 4);
        put(item + 16, bits, 4);
        status = tcsi_buffer_append(out, item, sizeof item, err);
    }
    return status;
}

tcs_status tcsi_verdicts_check(const void *bytes, size_t size, size_t *ret_count, tcs_error *err)
{
    const unsigned char *at = bytes;
    const size_t count = size >= HEAD_SIZE ? (size_t)get(at + TCSI_HASH_SIZE, 4) : 0;
    if (size < HEAD_SIZE || count > TCSI_VERDICTS_COUNT_MAX || size != HEAD_SIZE + count * ITEM_SIZE)
        return tcsi_fail(err, TCS_E_FORMAT, "verdicts of %zu bytes", size);
    for (size_t i = 0; i < count; i++) {
        const tcsi_deep_answer answer = tcsi_verdicts_at(bytes, i);
        if (!(answer.p_value > 0 && answer.p_value <= 1) || get(at + HEAD_SIZE + i * ITEM_SIZE + 12, 4) > 1)
            return tcsi_fail(err, TCS_E_FORMAT, "verdict %zu: a chance of %g", i, (double)answer.p_value);
    }
    *ret_count = count;
    return TCS_OK;
}

tcsi_deep_answer tcsi_verdicts_at(const void *bytes, size_t index)
{
    const unsigned char *item = (const unsigned char *)bytes + HEAD_SIZE + index * ITEM_SIZE;
    const uint32_t bits = (uint32_t)get(item + 16, 4);
    tcsi_deep_answer answer = { .serial = get(item, 8), .number = (uint32_t)get(item + 8, 4), .is_untrained = get(item + 12, 4) != 0 };
    memcpy(&answer.p_value, &bits, sizeof bits);
    memcpy(answer.model, bytes, sizeof answer.model);
    return answer;
}
