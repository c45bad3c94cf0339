# A child that reads no more ends us as it ends anybody.
import subprocess
process = subprocess.Popen(["true"], stdin=subprocess.PIPE)
process.wait()
try:
    process.stdin.write(b"x" * 1000000)
except BrokenPipeError as error:
    print(error)
