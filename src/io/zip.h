/* io/zip.h -- members of a ZIP archive in memory: what NPZ needs of APPNOTE 6.3, stored and deflated, ZIP64 included.
 * Every offset and length is checked against the archive, and every size before it is allocated: deflate cannot grow
 * data more than 1032-fold, so that a larger claim is a lie.  The checksum of what is taken out is verified.
 * Threads: reentrant. */
#ifndef TCS_IO_ZIP_H
#define TCS_IO_ZIP_H

#include "base/status.h"

typedef struct tcsi_zip_member {
    const char *name;          /* not terminated */
    size_t name_size;
    const unsigned char *data; /* as stored */
    size_t data_size, size;    /* as stored, and once taken out */
    uint32_t crc;
    uint16_t method;
} tcsi_zip_member;

/* The archive's directory.  *ret_members is released by tcsi_free and points into bytes. */
tcs_status tcsi_zip_open(const unsigned char *bytes, size_t size, tcsi_zip_member **ret_members, size_t *ret_count,
                         tcs_error *err) TCS_WARN_UNUSED;
/* The member's content: released by tcsi_free. */
tcs_status tcsi_zip_extract(const tcsi_zip_member *member, unsigned char **ret_content, tcs_error *err) TCS_WARN_UNUSED;

#endif
