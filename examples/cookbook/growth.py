import json

given = json.load(open("params.json"))
print("rate,years,value")
print(f"{given['rate']},{given['years']},{(1 + given['rate']) ** given['years']:.3f}")
