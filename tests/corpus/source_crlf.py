# Lines end as on Windows.
print('''one
two'''.encode())
raise ValueError('three')
