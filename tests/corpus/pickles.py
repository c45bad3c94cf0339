import pickle
from dataclasses import dataclass, field
from collections import namedtuple
from enum import Enum
@dataclass
class Point:
    x: int
    tags: list = field(default_factory=list)
Pair = namedtuple("Pair", "a b")
class Colour(Enum):
    RED = 1
for thing in (Point(1, ["a"]), Pair(1, 2), Colour.RED, len):
    copy = pickle.loads(pickle.dumps(thing))
    print(copy, copy == thing, type(copy).__module__)
