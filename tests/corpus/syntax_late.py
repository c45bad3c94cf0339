# The compiler finds it after the parser is done.
print("never")
def f():
    return x
    global x
