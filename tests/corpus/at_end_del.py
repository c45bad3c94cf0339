# What is alive at the end is told, in order.
import helper
class Loud:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print("goes:", self.name)
a, b = Loud("a"), Loud("b")
loop = Loud("loop")
loop.itself = loop
helper.kept = Loud("in a module")
del loop
print("end")
