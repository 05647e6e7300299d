/* io/zip.c -- the reading half of ZIP.
 *
 * An archive is read from its end: the end record says where the directory is, the directory where each member's local
 * header is, and that where its bytes begin.  Archives with something before them (self-extracting ones) are refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/zip.h"

#include "base/alloc.h"
#include "io/stream_codec.h"

#include <string.h>

enum { END_SIZE = 22, END64_SIZE = 56, LOCATOR_SIZE = 20, ENTRY_SIZE = 46, LOCAL_SIZE = 30, COMMENT_SIZE_MAX = 65535,
      DEFLATE_RATIO_MAX = 1032 };

typedef struct archive {
    const unsigned char *bytes;
    size_t size;
    tcs_error *err;
} archive;

static uint16_t get16(const unsigned char *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const unsigned char *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool fits(const archive *a, uint64_t offset, uint64_t size)
{
    return offset <= a->size && size <= a->size - offset;
}

static tcs_status corrupt(const archive *a, const char *what, uint64_t offset)
{
    return tcsi_fail(a->err, TCS_E_FORMAT, "the archive is corrupt or truncated: %s at byte %llu", what, (unsigned long long)offset);
}

typedef struct directory {
    uint64_t offset, count;
} directory;

static tcs_status find_directory(const archive *a, directory *ret)
{
    if (a->size < END_SIZE) return corrupt(a, "no room for an end record", 0);
    size_t lowest = a->size > END_SIZE + COMMENT_SIZE_MAX ? a->size - END_SIZE - COMMENT_SIZE_MAX : 0, at = a->size - END_SIZE;
    while (memcmp(a->bytes + at, "PK\x05\x06", 4) != 0 || get16(a->bytes + at + 20) != a->size - at - END_SIZE) {
        if (at == lowest) return corrupt(a, "no end record", a->size);
        at--;
    }
    *ret = (directory){ get32(a->bytes + at + 16), get16(a->bytes + at + 10) };
    if (ret->offset != UINT32_MAX && ret->count != UINT16_MAX) return TCS_OK;
    if (at < LOCATOR_SIZE || memcmp(a->bytes + at - LOCATOR_SIZE, "PK\x06\x07", 4) != 0) return TCS_OK; /* exactly 65535 members, then */
    uint64_t end64 = get64(a->bytes + at - LOCATOR_SIZE + 8);
    if (!fits(a, end64, END64_SIZE) || memcmp(a->bytes + end64, "PK\x06\x06", 4) != 0) return corrupt(a, "no ZIP64 end record", end64);
    *ret = (directory){ get64(a->bytes + end64 + 48), get64(a->bytes + end64 + 32) };
    return TCS_OK;
}

/* The sizes and the offset that did not fit 32 bits stand in an extra field, in this order. */
static bool widen(const unsigned char *extra, size_t extra_size, uint64_t *size, uint64_t *data_size, uint64_t *offset)
{
    uint64_t *wide[] = { size, data_size, offset };
    bool wanted = *size == UINT32_MAX || *data_size == UINT32_MAX || *offset == UINT32_MAX;
    while (wanted && extra_size >= 4) {
        size_t field_size = get16(extra + 2), used = 4;
        if (field_size > extra_size - 4) return false;
        if (get16(extra) != 1) {
            extra += 4 + field_size;
            extra_size -= 4 + field_size;
            continue;
        }
        for (size_t i = 0; i < TCS_COUNT(wide); i++) {
            if (*wide[i] != UINT32_MAX) continue;
            if (used + 8 > 4 + field_size) return false;
            *wide[i] = get64(extra + used);
            used += 8;
        }
        return true;
    }
    return !wanted;
}

/* The directory entry at *at; moves *at behind it. */
static tcs_status read_entry(const archive *a, uint64_t *at, tcsi_zip_member *ret)
{
    if (!fits(a, *at, ENTRY_SIZE) || memcmp(a->bytes + *at, "PK\x01\x02", 4) != 0) return corrupt(a, "no directory entry", *at);
    const unsigned char *entry = a->bytes + *at;
    size_t name_size = get16(entry + 28), extra_size = get16(entry + 30), comment_size = get16(entry + 32);
    if (!fits(a, *at + ENTRY_SIZE, name_size + extra_size + comment_size)) return corrupt(a, "a directory entry too long", *at);
    uint64_t data_size = get32(entry + 20), size = get32(entry + 24), offset = get32(entry + 42);
    if (!widen(entry + ENTRY_SIZE + name_size, extra_size, &size, &data_size, &offset)) return corrupt(a, "a wrong ZIP64 field", *at);
    if (get16(entry + 8) & 1) return tcsi_fail(a->err, TCS_E_UNSUPPORTED, "the archive is encrypted, which is not supported");
    if (!fits(a, offset, LOCAL_SIZE) || memcmp(a->bytes + offset, "PK\x03\x04", 4) != 0) return corrupt(a, "no member", offset);
    uint64_t begin = offset + LOCAL_SIZE + get16(a->bytes + offset + 26) + get16(a->bytes + offset + 28);
    if (!fits(a, begin, data_size)) return corrupt(a, "a member too long", offset);
    if (size > SIZE_MAX / 2) return corrupt(a, "a member too long", offset);
    *ret = (tcsi_zip_member){ .name = (const char *)entry + ENTRY_SIZE, .name_size = name_size, .data = a->bytes + begin,
                              .data_size = (size_t)data_size, .size = (size_t)size, .crc = get32(entry + 16), .method = get16(entry + 10) };
    *at += ENTRY_SIZE + name_size + extra_size + comment_size;
    return TCS_OK;
}

tcs_status tcsi_zip_open(const unsigned char *bytes, size_t size, tcsi_zip_member **ret_members, size_t *ret_count, tcs_error *err)
{
    archive a = { bytes, size, err };
    directory d = { 0 };
    tcs_status status = find_directory(&a, &d);
    if (status != TCS_OK) return status;
    if (!fits(&a, d.offset, 0) || d.count > (size - d.offset) / ENTRY_SIZE) return corrupt(&a, "a directory too long", d.offset);
    tcsi_zip_member *members = TCSI_NEW_ARRAY(tcsi_zip_member, (size_t)d.count);
    if (!members) return tcsi_fail_memory(err, "an archive");
    uint64_t at = d.offset;
    for (size_t i = 0; i < d.count && status == TCS_OK; i++) status = read_entry(&a, &at, &members[i]);
    if (status != TCS_OK) {
        tcsi_free(members);
        return status;
    }
    *ret_members = members;
    *ret_count = (size_t)d.count;
    return TCS_OK;
}

/* CRC-32 of ISO 3309, as in ZIP, gzip and PNG; four bits at a time. */
static uint32_t checksum(const unsigned char *bytes, size_t size)
{
    static const uint32_t table[16] = { 0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C };
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

tcs_status tcsi_zip_extract(const tcsi_zip_member *member, unsigned char **ret_content, tcs_error *err)
{
    bool stored = member->method == 0;
    if (!stored && member->method != 8)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "compression method %u, expected stored or deflate", member->method);
    if (stored ? member->size != member->data_size : member->size / DEFLATE_RATIO_MAX > member->data_size)
        return tcsi_fail(err, TCS_E_FORMAT, "%zu bytes cannot come out of %zu", member->size, member->data_size);
    unsigned char *content = tcsi_alloc(member->size);
    if (!content) return tcsi_fail_memory(err, "a member of an archive");
    tcs_status status = TCS_OK;
    if (!stored) status = tcsi_inflate(member->data, member->data_size, content, member->size, err);
    else if (member->size > 0) memcpy(content, member->data, member->size);
    if (status == TCS_OK && checksum(content, member->size) != member->crc) status = tcsi_fail(err, TCS_E_FORMAT, "its checksum is wrong");
    if (status == TCS_OK) *ret_content = content;
    else tcsi_free(content);
    return status;
}
