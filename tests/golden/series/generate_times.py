#!/usr/bin/env python3
"""Golden vectors for src/series/time.c: random stamps written by Python's strftime in twenty forms.

usage: generate_times.py [COUNT per form] > times.txt      Python 3, C locale, seed 5; the committed file has 12 per form
Format: number of the form, seconds since 1970-01-01 UTC, text; separated by tabs.
"""
import datetime
import random
import sys

FORMS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y%m%dT%H%M%S", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d-%b-%Y %H:%M:%S",
         "%b %d %Y %H:%M:%S", "%d %B %Y, %H:%M", "%a, %d %b %Y %H:%M:%S", "%a %b %d %H:%M:%S %Y", "%Y/%m/%d %H:%M:%S",
         "%G-W%V-%uT%H:%M:%S", "%Y-%jT%H:%M:%S", "%Y%m%d%H%M%S", "%d/%m/%y %H:%M:%S", "%B %d, %Y %I:%M:%S %p", "%Y-%b-%d %H:%M:%S",
         "%H:%M:%S %d.%m.%Y", "%Y.%m.%d %H:%M:%S", "%d %b %y %H:%M:%S"]
COLON_OR_NOT, PLAIN = {0, 2}, {8}  # forms that carry a zone in seven of ten stamps


def zone(minutes, colon):
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{':' if colon else ''}{abs(minutes) % 60:02d}"


def main():
    random.seed(5)
    epoch = datetime.datetime(1970, 1, 1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    for number, form in enumerate(FORMS):
        for _ in range(count):
            moment = epoch + datetime.timedelta(seconds=random.randrange(98 * 365 * 86400))
            if "%y" in form:
                moment = moment.replace(year=min(moment.year, 2067), day=min(moment.day, 28))
            if "%S" not in form:
                moment = moment.replace(second=0)
            text, minutes = moment.strftime(form), 0
            if number in COLON_OR_NOT | PLAIN and random.random() < 0.7:
                minutes = random.randrange(-12 * 60, 14 * 60)
                text += " " + zone(minutes, False) if number in PLAIN else zone(minutes, random.random() < 0.5)
            print(number, int((moment - epoch).total_seconds()) - 60 * minutes, text, sep="\t")


main()
