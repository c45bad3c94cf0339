# -*- coding: latin-1 -*-
print('olá')
raise ValueError('não')
