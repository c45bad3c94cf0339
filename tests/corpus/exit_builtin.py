print("x")
exit(9)
