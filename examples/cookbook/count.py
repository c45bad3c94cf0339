import sys

text = open(sys.argv[1]).read()
print(f"{sys.argv[1]}: {len(text.split())} words")
