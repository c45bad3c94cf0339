# Lines that repeat are folded.
def down(n):
    return down(n + 1)
try:
    down(0)
except RecursionError as error:
    print(error)
def few(n):
    if n == 0:
        raise ValueError("bottom")
    few(n - 1)
few(10)
