#!/usr/bin/env python3
"""Writes src/io/number_powers.inc: 5^q for q = -342..308 as 128-bit significands, high word first.

usage: make_powers_of_five.py > src/io/number_powers.inc
Exact integer arithmetic.  Positive powers are cut below the 128th bit; negative ones are reciprocals rounded up, as the
proof of the algorithm requires (D. Lemire: Number parsing at a gigabyte per second, Software: Practice and Experience
51(8), 2021, section 5.2 and appendix A).
"""


def significand(q):
    if q >= 0:
        power = 5 ** q
        shift = 128 - power.bit_length()
        return power << shift if shift >= 0 else power >> -shift
    power = 5 ** -q
    bits = (power - 1).bit_length()
    value = 2 ** (bits + 127) // power + 1 if q >= -27 else 2 ** (2 * bits + 128) // power + 1
    return value >> max(0, value.bit_length() - 128)


def main():
    print("/* Made by tools/make_powers_of_five.py; do not edit. */")
    for q in range(-342, 309):
        value = significand(q)
        assert value.bit_length() == 128
        print(f"{{ 0x{value >> 64:016x}u, 0x{value & (2 ** 64 - 1):016x}u }}, /* {q} */")


if __name__ == "__main__":
    main()
