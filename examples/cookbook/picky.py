import csv, sys

print("n,root")
for row in csv.DictReader(open(sys.argv[1])):
    print(f"{row['n']},{float(row['n']) ** 0.5:.1f}")
