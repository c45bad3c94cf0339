import sys
sys.modules.clear()
sys.path.clear()
print("on")
raise ValueError("end")
