import os
print([(name, value) for name, value in os.environ.items() if name != "MUTIRAO_RUN"])
print(len(os.environ["MUTIRAO_RUN"]), os.environb[b"GREETING"], os.getenv("NOTHING"))
