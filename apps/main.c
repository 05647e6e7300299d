/* apps/main.c -- the tocsin command.  SPDX-License-Identifier: Apache-2.0 */
#include "tocsin/tocsin.h"

#include <stdio.h>

int main(void)
{
    printf("tocsin %s\n", tcs_version());
    return 0;
}
