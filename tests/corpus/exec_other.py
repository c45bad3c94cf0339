import os
os.execv("/bin/echo", ["echo", "another program"])
