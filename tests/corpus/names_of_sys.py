import sys
print(sorted(name for name in vars(sys) if not name.startswith("last_")))
