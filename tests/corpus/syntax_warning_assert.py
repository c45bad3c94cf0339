assert (x := 1, "always true")
print(x)
