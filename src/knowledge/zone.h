/* knowledge/zone.h -- the clock on the wall of a place: offset from UTC at any moment, and back.
 *
 * Zones are read from the C library's own data (TZif files, RFC 9636, below /usr/share/zoneinfo or $TZDIR): every change of the past and,
 * for the future, the rule that the file ends with (POSIX TZ, IEEE Std 1003.1, made into a tcsi_calendar).  The library's functions are not
 * used: they know one zone at a time, for the whole process.  The bytes are kept, so that a bundle says the same where zones are others. */
#ifndef TCS_KNOWLEDGE_ZONE_H
#define TCS_KNOWLEDGE_ZONE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "series/calendar.h"

enum { TCSI_ZONE_SIZE_MAX = 1 << 16, TCSI_ZONE_NAME_SIZE = 64 };

typedef struct tcsi_zone {
    char name[TCSI_ZONE_NAME_SIZE];
    size_t count;
    const int64_t *changes_s;  /* (count) seconds since 1970 UTC, rising */
    const int32_t *offsets_s;  /* (count) in force from then */
    int32_t offset_first_s;    /* before the first */
    tcsi_calendar rule;        /* after the last, or always without any */
} tcsi_zone;

/* UTC, +02:00 and the like need no data; true when name is one of them. */
bool tcsi_zone_fixed(const char *name, tcsi_zone *ret_zone);
/* The file of a zone, appended to bytes.  E_FORMAT: no such zone; E_IO. */
tcs_status tcsi_zone_file(const char *name, tcsi_buffer *bytes, tcs_error *err) TCS_WARN_UNUSED;
/* What the file says; lives in arena.  E_FORMAT, E_UNSUPPORTED (a rule by day of the year), E_MEMORY. */
tcs_status tcsi_zone_parse(const char *name, const void *bytes, size_t size, tcsi_arena *arena, tcsi_zone *ret_zone,
                           tcs_error *err) TCS_WARN_UNUSED;

int32_t tcsi_zone_offset_s(const tcsi_zone *zone, int64_t utc_s);
/* The moment at which clocks show local_s (seconds since 1970 as the clock counts).  Shown twice: the first time.  Never shown, because
 * clocks were put forward: as if they had not been, so that 02:30 happens at what is then called 03:30. */
int64_t tcsi_zone_moment(const tcsi_zone *zone, int64_t local_s);

#endif
