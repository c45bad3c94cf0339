import multiprocessing
def square(x):
    return x * x
class Point:
    def __init__(self, x): self.x = x
def moved(point):
    return Point(point.x + 1)
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        print(pool.map(square, range(5)), pool.map(moved, [Point(1)])[0].x)
    print(multiprocessing.current_process().name, multiprocessing.active_children())
