# A byte order mark comes first.
print('olá')
1/0
