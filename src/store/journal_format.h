/* store/journal_format.h -- the bytes of a journal (drawn in journal.h), and which segments a folder holds.
 * Threads: reentrant. */
#ifndef TCS_STORE_JOURNAL_FORMAT_H
#define TCS_STORE_JOURNAL_FORMAT_H

#include "store/journal.h"

enum { TCSI_JOURNAL_SEGMENT_HEADER = 24, TCSI_JOURNAL_RECORD_HEADER = 48, TCSI_JOURNAL_NAME_SIZE = 29 };

typedef struct tcsi_journal_header {
    uint32_t kind;
    uint64_t size, sequence, durable;
    int64_t time_ns;
    uint64_t seal;
} tcsi_journal_header;

/* Seals header and bytes, and writes the header. */
void tcsi_journal_header_write(tcsi_journal_header *header, const void *bytes, unsigned char ret_bytes[TCSI_JOURNAL_RECORD_HEADER]);
/* false: no header of a record; the seal is not looked at. */
bool tcsi_journal_header_read(const unsigned char bytes[TCSI_JOURNAL_RECORD_HEADER], tcsi_journal_header *ret_header);
bool tcsi_journal_header_holds(const tcsi_journal_header *header, const void *bytes); /* is the seal right? */
void tcsi_journal_segment_write(uint64_t sequence, unsigned char ret_bytes[TCSI_JOURNAL_SEGMENT_HEADER]);
bool tcsi_journal_segment_read(const unsigned char bytes[TCSI_JOURNAL_SEGMENT_HEADER], uint64_t *ret_sequence);
size_t tcsi_journal_padding(size_t size); /* zeros behind so many bytes */

/* The first sequence numbers of a folder's segments, ascending.  *ret_firsts is the caller's, to be freed; NULL: none.  E_IO, E_MEMORY. */
tcs_status tcsi_journal_segments(const char *folder, uint64_t **ret_firsts, size_t *ret_count, tcs_error *err) TCS_WARN_UNUSED;
/* folder/NAME of a segment: into as many bytes as the folder's name has and 1 + TCSI_JOURNAL_NAME_SIZE. */
void tcsi_journal_segment_name(const char *folder, uint64_t sequence, char *ret_path);
/* The same; the caller's, to be freed; NULL: out of memory. */
char *tcsi_journal_segment_path(const char *folder, uint64_t sequence);

#endif
