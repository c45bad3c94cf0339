# The compiler warns, and the script runs.
x = 1
print(x is 1, "\d")
