/* serve/audit_entry.h -- an entry of the audit log as JSON, with everything that its hash covers: as the API answers it, and as an export
 * has it, one a line.  Threads: reentrant. */
#ifndef TCS_SERVE_AUDIT_ENTRY_H
#define TCS_SERVE_AUDIT_ENTRY_H

#include "base/json.h"
#include "store/store.h"

enum { TCSI_AUDIT_TIME_SIZE = 48 };

void tcsi_audit_entry_time(const tcsi_store_audit_entry *entry, char ret_text[TCSI_AUDIT_TIME_SIZE]); /* ISO 8601, UTC */
void tcsi_audit_entry_write(const tcsi_store_audit_entry *entry, tcsi_json_writer *writer);
/* All texts live in arena.  E_FORMAT: it is not what write writes. */
tcs_status tcsi_audit_entry_read(const char *line, size_t size, tcsi_arena *arena, tcsi_store_audit_entry *ret_entry,
                                 tcs_error *err) TCS_WARN_UNUSED;
bool tcsi_audit_hash_read(const char *text, unsigned char ret_hash[TCSI_HASH_SIZE]); /* false: not 64 hexadecimal digits */

#endif
