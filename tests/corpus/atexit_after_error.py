import atexit
atexit.register(lambda: print("after the trace", __name__))
1 / 0
