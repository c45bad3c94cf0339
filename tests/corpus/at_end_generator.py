def generator():
    try:
        yield 1
    finally:
        print("finally of a generator")
it = generator()
next(it)
