# As the system shows it.
import os
block = open("/proc/self/environ").read().split("\0")
print([setting for setting in block if not setting.startswith("MUTIRAO_RUN=")])
run = [setting for setting in block if setting.startswith("MUTIRAO_RUN=")]
print(run == ["MUTIRAO_RUN=" + os.environ["MUTIRAO_RUN"]])
