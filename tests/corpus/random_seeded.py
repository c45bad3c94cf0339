import random
random.seed(42)
print([random.random() for _ in range(3)], random.choice("abc"), random.Random(7).randint(1, 1000))
