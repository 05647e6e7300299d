/* detect/contract_test.c -- the promises of detector.h, checked on every registered detector.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "detect/registry.h"

static void test_every_detector_describes_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < tcsi_registry_count(); i++) {
        const tcsi_detector_info *info = tcsi_registry_at(i);
        assert_non_null(info->name);
        assert_true(strlen(info->paper) > 20 && strlen(info->summary) > 40);
        assert_true(info->traits & (TCSI_TRAIT_STREAMING | TCSI_TRAIT_OFFLINE));
        assert_non_null(info->ops->init);
        assert_non_null(info->ops->deinit);
        assert_non_null(info->ops->persist);
        assert_non_null(info->ops->size_max);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_every_detector_describes_itself))
