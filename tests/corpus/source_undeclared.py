# This is no UTF-8.
print('olá')
