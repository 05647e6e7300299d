/* store/schema.h -- the versions of the schema, and the way from each to the next.  Threads: as the database. */
#ifndef TCS_STORE_SCHEMA_H
#define TCS_STORE_SCHEMA_H

#include "store/database.h"

enum { TCSI_SCHEMA_VERSION = 5 };

/* Makes the schema of an empty database, or brings an older one up to `version` (tests ask for earlier ones), in one scope.
 * may_change false: refuses where something would have to be done.  E_UNSUPPORTED: it is newer; E_FORMAT: it is no store. */
tcs_status tcsi_schema_open(tcsi_database *database, int64_t version, bool may_change, tcs_error *err) TCS_WARN_UNUSED;

#endif
