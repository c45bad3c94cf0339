import csv, sys

print("station,day,kelvin")
for row in csv.DictReader(open(sys.argv[1])):
    print(f"{row['station']},{row['day']},{float(row['celsius']) + 273.15:.2f}")
