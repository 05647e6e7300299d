/* SPDX-License-Identifier: Apache-2.0 */
#include "store/journal_format.h"

#include "base/alloc.h"
#include "base/codec.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char segment_magic[] = "TCSJRNL1";
enum { RECORD_MAGIC = 0x524a4354, SEALED_SIZE = 40, MAGIC_SIZE = 8 }; /* "TCJR" */

static void put(unsigned char *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static uint64_t get_word(const unsigned char *bytes)
{
    uint64_t word = get(bytes, 8); /* compilers make one load of it */
    return word;
}

/* As tcsi_seal, eight bytes a step, because bodies come by the hundred megabytes: each step is a bijection of the hash for a given word
 * and of the word for a given hash, so that damage within one word is always noticed; the turn brings high bits down again. */
static uint64_t seal_words(uint64_t hash, const unsigned char *bytes, size_t size)
{
    for (; size >= 8; bytes += 8, size -= 8) {
        hash = (hash ^ get_word(bytes)) * 0x9e3779b97f4a7c15u;
        hash = hash << 31 | hash >> 33;
    }
    return tcsi_seal(hash, bytes, size);
}

static uint64_t seal_of(const unsigned char *header, const void *bytes, size_t size)
{
    return seal_words(seal_words(TCSI_SEAL_BEGIN, header, SEALED_SIZE), bytes, size);
}

static void write_sealed_part(const tcsi_journal_header *header, unsigned char *bytes)
{
    put(bytes, RECORD_MAGIC, 4);
    put(bytes + 4, header->kind, 4);
    put(bytes + 8, header->size, 8);
    put(bytes + 16, header->sequence, 8);
    put(bytes + 24, header->durable, 8);
    put(bytes + 32, (uint64_t)header->time_ns, 8);
}

void tcsi_journal_header_write(tcsi_journal_header *header, const void *bytes, unsigned char ret_bytes[TCSI_JOURNAL_RECORD_HEADER])
{
    write_sealed_part(header, ret_bytes);
    header->seal = seal_of(ret_bytes, bytes, header->size);
    put(ret_bytes + SEALED_SIZE, header->seal, 8);
}

bool tcsi_journal_header_read(const unsigned char bytes[TCSI_JOURNAL_RECORD_HEADER], tcsi_journal_header *ret_header)
{
    if (get(bytes, 4) != RECORD_MAGIC) return false;
    *ret_header = (tcsi_journal_header){ .kind = (uint32_t)get(bytes + 4, 4), .size = get(bytes + 8, 8), .sequence = get(bytes + 16, 8),
                                         .durable = get(bytes + 24, 8), .time_ns = (int64_t)get(bytes + 32, 8),
                                         .seal = get(bytes + SEALED_SIZE, 8) };
    return ret_header->size <= TCSI_JOURNAL_RECORD_MAX && ret_header->sequence > ret_header->durable;
}

bool tcsi_journal_header_holds(const tcsi_journal_header *header, const void *bytes)
{
    unsigned char sealed[SEALED_SIZE];
    write_sealed_part(header, sealed);
    return seal_of(sealed, bytes, header->size) == header->seal;
}

void tcsi_journal_segment_write(uint64_t sequence, unsigned char ret_bytes[TCSI_JOURNAL_SEGMENT_HEADER])
{
    memcpy(ret_bytes, segment_magic, MAGIC_SIZE);
    put(ret_bytes + 8, sequence, 8);
    put(ret_bytes + 16, seal_words(TCSI_SEAL_BEGIN, ret_bytes, 16), 8);
}

bool tcsi_journal_segment_read(const unsigned char bytes[TCSI_JOURNAL_SEGMENT_HEADER], uint64_t *ret_sequence)
{
    if (memcmp(bytes, segment_magic, MAGIC_SIZE) != 0 || get(bytes + 16, 8) != seal_words(TCSI_SEAL_BEGIN, bytes, 16)) return false;
    *ret_sequence = get(bytes + 8, 8);
    return *ret_sequence > 0;
}

size_t tcsi_journal_padding(size_t size)
{
    return (8 - size % 8) % 8;
}

/* "00000000000000000042.journal" */
static bool parse_name(const char *name, uint64_t *ret_sequence)
{
    uint64_t sequence = 0;
    size_t i = 0;
    for (; i < 20 && name[i] >= '0' && name[i] <= '9'; i++) {
        if (sequence > (UINT64_MAX - 9) / 10) return false;
        sequence = 10 * sequence + (uint64_t)(name[i] - '0');
    }
    *ret_sequence = sequence;
    return i == 20 && strcmp(name + 20, ".journal") == 0 && sequence > 0;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

tcs_status tcsi_journal_segments(const char *folder, uint64_t **ret_firsts, size_t *ret_count, tcs_error *err)
{
    uint64_t *firsts = NULL, first;
    size_t count = 0, capacity = 0;
    DIR *names = opendir(folder);
    if (!names) return tcsi_fail(err, TCS_E_IO, "%s: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(names));) {
        if (!parse_name(entry->d_name, &first)) continue;
        if (!tcsi_grow((void **)&firsts, &capacity, count, sizeof *firsts, 64)) {
            closedir(names);
            tcsi_free(firsts);
            return tcsi_fail_memory(err, "a list of files");
        }
        firsts[count++] = first;
    }
    closedir(names);
    if (count) qsort(firsts, count, sizeof *firsts, ascending);
    *ret_firsts = firsts;
    *ret_count = count;
    return TCS_OK;
}

void tcsi_journal_segment_name(const char *folder, uint64_t sequence, char *ret_path)
{
    snprintf(ret_path, strlen(folder) + 1 + TCSI_JOURNAL_NAME_SIZE, "%s/%020llu.journal", folder, (unsigned long long)sequence);
}

char *tcsi_journal_segment_path(const char *folder, uint64_t sequence)
{
    char *path = tcsi_alloc(strlen(folder) + 1 + TCSI_JOURNAL_NAME_SIZE);
    if (path) tcsi_journal_segment_name(folder, sequence, path);
    return path;
}
