import os
import sys
child = os.fork()
if child == 0:
    print("child", __name__)
    sys.exit(3)
_, status = os.waitpid(child, 0)
print("parent", status >> 8, os.getpid() != child)
