#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""analyse.py FILE: what a data analysis does, in plain Python.

Reads all rows into memory, groups them by station, drops outliers by the interquartile range, and
prints count, gaps, median, 5th and 95th percentile, and the regression of temperature on load.
It needs about 270 MB for 400,000 rows.
"""

import csv
import statistics
import sys
from collections import defaultdict


def read(path):
    with open(path, newline="", encoding="ascii") as file:
        return list(csv.DictReader(file))


def percentile(ordered, share):
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def without_outliers(pairs):
    ordered = sorted(temperature for temperature, _ in pairs)
    low, high = percentile(ordered, 0.25), percentile(ordered, 0.75)
    reach = 3 * (high - low)
    return [p for p in pairs if low - reach <= p[0] <= high + reach]


def main():
    table = read(sys.argv[1])
    groups, gaps = defaultdict(list), defaultdict(int)
    for row in table:
        if row["temperature"]:
            groups[row["station"]].append((float(row["temperature"]), float(row["load"])))
        else:
            gaps[row["station"]] += 1

    print(f"{len(table)} rows of {len({row['sensor'] for row in table})} sensors")
    print("station     rows  gaps  outliers  median    p5   p95  slope")
    for station in sorted(groups):
        kept = without_outliers(groups[station])
        temperatures = sorted(t for t, _ in kept)
        slope, _ = statistics.linear_regression([load for _, load in kept], [t for t, _ in kept])
        print(
            f"{station:<10} {len(kept):>5} {gaps[station]:>5} {len(groups[station]) - len(kept):>9}"
            f" {percentile(temperatures, 0.5):>7.2f} {percentile(temperatures, 0.05):>5.1f}"
            f" {percentile(temperatures, 0.95):>5.1f} {slope:>6.3f}"
        )


if __name__ == "__main__":
    main()
