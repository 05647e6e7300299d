// tests/install/use.cpp -- C++ can include the public header and link the library.  SPDX-License-Identifier: Apache-2.0
#include <tocsin/tocsin.h>

int main()
{
    tcs_error err;
    tcs_frame *frame = nullptr;
    tcs_status status = tcs_simulate("pump", 100, 1, &frame, &err);
    bool whole = status == TCS_OK && tcs_frame_row_count(frame) == 100;
    tcs_frame_destroy(frame);
    return whole ? 0 : 1;
}
