"""What `typing` wants from its C part, which the static library of CPython 3.11 does not have."""


def _idfunc(value: object) -> object:
    return value
