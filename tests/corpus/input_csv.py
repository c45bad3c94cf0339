import csv
with open("input.csv", newline="") as file:
    rows = list(csv.DictReader(file))
print(rows)
with open("made.csv", "w", newline="") as file:
    csv.writer(file).writerows([["a", 1], ["ç", 2.5]])
