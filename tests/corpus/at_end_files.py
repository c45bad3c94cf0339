# Files that nobody closed are flushed.
import helper
import io
text = open("text.txt", "w")
text.write("text")
binary = open("binary.dat", "wb")
binary.write(b"x" * 100)
helper.file = open("helper.txt", "w")
helper.file.write("held by a module")
holder = {"cycle": open("cycle.txt", "w")}
holder["self"] = holder
holder["cycle"].write("in a cycle")
def generator():
    with open("generator.txt", "w") as file:
        file.write("held by a generator")
        yield
it = generator()
next(it)
