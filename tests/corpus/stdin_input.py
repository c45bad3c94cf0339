try:
    input("question? ")
except EOFError as error:
    print("no answer:", error)
