#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make-data.py FILE [ROWS]: write the data set of the analysis, the same bytes each time.

Measurements of sensors at stations: a CSV of station, sensor, second, temperature and load, with
a slope, a daily wave, noise, outliers and gaps for the analysis to find.
"""

import math
import random
import sys

STATIONS = ["Aarhus", "Bergen", "Cork", "Delft", "Espoo", "Faro", "Ghent", "Horsens"]


def rows(n):
    rng = random.Random(20240517)
    for i in range(n):
        station = rng.randrange(len(STATIONS))
        second = i * 7
        load = max(0.0, rng.gauss(40 + 5 * station, 12))
        wave = 6 * math.sin(2 * math.pi * (second % 86400) / 86400)
        temperature = 15 + station + wave + 0.12 * load + rng.gauss(0, 1.5)
        if rng.random() < 0.001:
            temperature += 60
        shown = "" if rng.random() < 0.005 else f"{temperature:.3f}"
        yield f"{STATIONS[station]},s{rng.randrange(500):03},{second},{shown},{load:.3f}\n"


def main():
    path = sys.argv[1]
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 400_000
    with open(path, "w", encoding="ascii") as file:
        file.write("station,sensor,second,temperature,load\n")
        file.writelines(rows(n))


if __name__ == "__main__":
    main()
