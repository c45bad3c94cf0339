from concurrent.futures import ProcessPoolExecutor
def cube(x):
    return x ** 3
def fail():
    raise ValueError("in a worker")
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        print(list(pool.map(cube, range(4))))
        print(repr(pool.submit(fail).exception()))
