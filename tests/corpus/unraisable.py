class Loud:
    def __del__(self):
        raise RuntimeError("while it goes")
Loud()
print("on")
