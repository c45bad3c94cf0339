# The folder is gone before the end.
import os
import shutil
print(os.getcwd())
shutil.rmtree(os.getcwd())
1 / 0
