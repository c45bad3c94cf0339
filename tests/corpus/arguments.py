import os
import sys
print(sys.argv, sys.path, os.getcwd())
print(getattr(sys, "orig_argv", [0, *sys.argv])[1:], sys.executable, sys.prefix, sys.exec_prefix)
print(open(sys.argv[1]).read())
