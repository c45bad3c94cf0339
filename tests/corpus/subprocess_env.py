import os
import subprocess
os.environ["ADDED"] = "yes"
del os.environ["LANG" if "LANG" in os.environ else "PYTHONUNBUFFERED"]
shown = subprocess.run(["env"], stdout=subprocess.PIPE).stdout.decode().splitlines()
print([line for line in shown if not line.startswith("MUTIRAO_RUN=")])
