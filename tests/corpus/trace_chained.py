class Mine(Exception):
    """Of the main module."""

def first():
    raise KeyError("k")

def second():
    try:
        first()
    except KeyError as error:
        raise Mine("from") from error

try:
    second()
except Mine:
    {}["missing"]
