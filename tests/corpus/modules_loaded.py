# What is there before anything was imported, in the order in which it came.
import sys
print(list(sys.modules))
