from numerals import roman

print([roman(number) for number in (4, 9, 2026)])
