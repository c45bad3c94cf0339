import csv, sys

kelvin = [float(row["kelvin"]) for row in csv.DictReader(open(sys.argv[1]))]
print(f"{len(kelvin)} readings, {min(kelvin)} to {max(kelvin)} K")
