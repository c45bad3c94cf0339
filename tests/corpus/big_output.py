import sys
for n in range(60000):
    print("line", n, "x" * 40)
sys.stderr.write("y" * 300000)
