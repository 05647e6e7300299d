/* tocsin/tocsin.h -- the public interface of libtocsin.  Anything outside this header and tocsin/types.h is not promised.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOCSIN_TOCSIN_H
#define TOCSIN_TOCSIN_H

#include "tocsin/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TCS_API __attribute__((visibility("default")))
#else
#define TCS_API
#endif

/* "0.1.0"; lives as long as the library. */
TCS_API const char *tcs_version(void);

#ifdef __cplusplus
}
#endif
#endif
