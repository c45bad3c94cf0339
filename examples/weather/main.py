"""A year of weather at several stations: a table, a chart and what stands out.

Reads the CSV named as the first argument, or input.csv: a date, then for each station its mean temperature (`NAME_c`)
and its rain (`NAME_mm`); an empty cell is a day without a reading. Writes monthly.csv. The shipped data is made up.
"""

import csv
import sys
from datetime import date
from statistics import mean

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
BAR_WIDTH = 20
DRY_MM = 1.0


def read(path):
    """The days, and for each station two lists as long: temperature and rain, None where there is no reading."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    days = [date.fromisoformat(row["date"]) for row in rows]
    names = [column[:-2] for column in rows[0] if column.endswith("_c")]
    number = lambda cell: float(cell) if cell else None
    return days, {
        name: ([number(row[f"{name}_c"]) for row in rows], [number(row[f"{name}_mm"]) for row in rows])
        for name in names
    }


def by_month(days, values, fold):
    """What `fold` makes of each month's readings."""
    return [fold([v for day, v in zip(days, values) if day.month == m and v is not None]) for m in range(1, 13)]


def show_table(monthly):
    print("month" + "".join(f"{name:>9} °C {'mm':>5}" for name in monthly))
    for m, month in enumerate(MONTHS):
        print(f"{month:5}" + "".join(f"{c[m]:12.1f} {mm[m]:5.0f}" for c, mm in monthly.values()))
    print("year " + "".join(f"{mean(c):12.1f} {sum(mm):5.0f}" for c, mm in monthly.values()))


def show_rain(monthly):
    most = max(max(mm) for _, mm in monthly.values())
    print("\nrain " + " ".join(f"{name:{BAR_WIDTH}}" for name in monthly).rstrip())
    for m, month in enumerate(MONTHS):
        bars = ("█" * round(mm[m] / most * BAR_WIDTH) for _, mm in monthly.values())
        print(f"{month}  " + " ".join(f"{bar:·<{BAR_WIDTH}}" for bar in bars))


def longest_dry_spell(days, rain):
    """The first day and the length of the longest run of days with readings below DRY_MM."""
    best, start = (0, days[0]), None
    for at, amount in enumerate(rain):
        if amount is None or amount >= DRY_MM:
            start = None
            continue
        start = at if start is None else start
        best = max(best, (at - start + 1, days[start]), key=lambda spell: spell[0])
    return best[1], best[0]


def show_extremes(days, stations):
    print("\nwhat stands out")
    for name, (temperature, rain) in stations.items():
        read_c = [(c, day) for c, day in zip(temperature, days) if c is not None]
        read_mm = [(mm, day) for mm, day in zip(rain, days) if mm is not None]
        (high, hot), (low, cold), (most, wet) = max(read_c), min(read_c), max(read_mm)
        dry, length = longest_dry_spell(days, rain)
        print(f"  {name}: hottest {hot:%d %b} {high:.1f} °C, coldest {cold:%d %b} {low:.1f} °C, "
              f"wettest {wet:%d %b} {most:.0f} mm, {length} dry days from {dry:%d %b}")


def correlation(pairs):
    """Pearson's, written out because Python has it only since 3.10."""
    a, b = mean(a for a, _ in pairs), mean(b for _, b in pairs)
    together = sum((x - a) * (y - b) for x, y in pairs)
    return together / (sum((x - a) ** 2 for x, _ in pairs) * sum((y - b) ** 2 for _, y in pairs)) ** 0.5


def show_kinship(stations):
    print("\nhow alike the temperatures of two stations move (1 is in step)")
    names = list(stations)
    for at, one in enumerate(names):
        for other in names[at + 1:]:
            both = zip(stations[one][0], stations[other][0])
            pairs = [(a, b) for a, b in both if a is not None and b is not None]
            print(f"  {one} and {other}: {correlation(pairs):.2f}")


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "input.csv"
    days, stations = read(path)
    gaps = sum(c is None for temperature, _ in stations.values() for c in temperature)
    print(f"{len(stations)} stations, {len(days)} days, {gaps} readings missing\n")
    monthly = {name: (by_month(days, c, mean), by_month(days, mm, sum)) for name, (c, mm) in stations.items()}
    show_table(monthly)
    show_rain(monthly)
    show_extremes(days, stations)
    show_kinship(stations)
    with open("monthly.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["month", *(f"{name}_{unit}" for name in monthly for unit in ("c", "mm"))])
        for m, month in enumerate(MONTHS):
            table.writerow([month, *(f"{values[m]:.1f}" for pair in monthly.values() for values in pair)])


if __name__ == "__main__":
    main()
