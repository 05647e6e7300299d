/* tests/install/use.c -- the smallest useful program against an installed tocsin: fills a frame, detects, prints the worst episode.
 * SPDX-License-Identifier: Apache-2.0 */
#include <tocsin/tocsin.h>

#include <math.h>
#include <stdio.h>

int main(void)
{
    tcs_error err;
    tcs_frame *frame = NULL;
    tcs_result *result = NULL;
    tcs_status status = tcs_frame_create(1, NULL, true, false, &frame, &err);
    for (int t = 0; t < 600 && status == TCS_OK; t++) {
        double value = sin(t * 0.26) + 0.01 * sin(t * 17.0) + (t >= 400 && t < 405 ? 6.0 : 0.0);
        status = tcs_frame_append(frame, &value, (int64_t)t * 1000000000, 0, &err);
    }
    if (status == TCS_OK) status = tcs_detect(frame, NULL, &result, &err);
    if (status == TCS_OK && tcs_result_episode_count(result) > 0) {
        tcs_episode worst = tcs_result_episode(result, 0);
        printf("%s %d\n", tcs_version(), worst.row_begin < 405 && worst.row_end > 400);
    }
    if (status != TCS_OK) printf("%s\n", err.text);
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
    return status != TCS_OK;
}
