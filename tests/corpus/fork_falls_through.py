# Both go on to the end.
import os
if os.fork() == 0:
    pass
else:
    os.wait()
print("end")
