import time

print("begun")
time.sleep(3600)
