/* SPDX-License-Identifier: Apache-2.0 */
#include "tocsin/tocsin.h"

#include "tocsin_config.h"

const char *tcs_version(void)
{
    return TCSI_VERSION;
}
