print(list(map(lambda x: 1 // x, [2, 1, 0])))
