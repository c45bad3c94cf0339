import atexit
import sys
atexit.register(sys.exit, 8)
