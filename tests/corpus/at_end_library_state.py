# Held by a module of the library, not by ours.
import string
import builtins
class Loud:
    def __del__(self):
        print("goes from", self.where)
string.kept = Loud()
string.kept.where = "a library"
builtins.kept = open("builtins.txt", "w")
builtins.kept.write("held by builtins")
