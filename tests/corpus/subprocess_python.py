import subprocess
import sys
code = "import os, sys; print(sys.argv, os.getcwd()); print(sorted(k for k in os.environ)); sys.exit(6)"
done = subprocess.run([sys.executable, "-c", code, "x"], stdout=subprocess.PIPE)
print(done.returncode, done.stdout.decode())
