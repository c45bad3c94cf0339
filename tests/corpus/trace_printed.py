# What shows its own trace sees the script's frames only.
import sys
import traceback
try:
    1 / 0
except ZeroDivisionError:
    traceback.print_exc()
    print(traceback.format_exc())
    print(len(traceback.extract_tb(sys.exc_info()[2])))
