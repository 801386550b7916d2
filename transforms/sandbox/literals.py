"""Writes Python values as JSON that loses no type; runs no code of the value's own class.

`transforms.programs.facts.literals` reads it. None, booleans, text, finite floats and integers are
themselves, and a list is an array. Every other value is an object with one tag: {"tuple": [...]},
{"dict": [[key, value], ...]}, {"set": ...}, {"bytes": hex}, {"float": "nan"}, and so on.
"""

from __future__ import annotations

import datetime
import fractions
import types
from collections import OrderedDict, deque
from collections.abc import Iterator
from decimal import Decimal
from json import JSONEncoder
from math import isfinite
from typing import Any, NamedTuple

MAX_DEPTH = 60
"""Containers inside each other, at most."""

ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})
"""Immutable types without contents; two names for one such value are no aliases."""

IMMUTABLE = ATOMS | {
    *(tuple, frozenset, range, slice, type(...), type, Decimal, fractions.Fraction),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
    *(types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType),
}
"""Types of which two equal values differ in nothing that a program may change."""

_TEXTS = (
    *(Decimal, fractions.Fraction, range, slice),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta),
)
"""Immutable types whose repr says all of the value."""
NAMED = frozenset({types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type})
"""Types of which no more than the name is written."""
_BASES = (
    BaseException,
    str,
    int,
    float,
    bytes,
    bytearray,
    tuple,
    list,
    dict,
    set,
    frozenset,
    deque,
)
_LONG_BITS = 4096
"""Integers from here on are written in hexadecimal: decimal digits cost quadratic time."""


_WIDE = 1 << 64
"""Integers below are written in decimal digits without a look at their size."""

dumps = JSONEncoder(allow_nan=False).encode


class TooLarge(Exception):
    """A value has more than the allowed size, or is nested too deeply; the message says which."""


def encode(value: Any, size: int) -> str:
    """Returns the literal of a value: JSON of ASCII characters alone.

    A mutable container or object that a value holds twice, itself included, is written once, and
    then as {"ref": n}: the n-th of them in the order of the text. The members of a set are sorted.
    An instance is {"object": [class, base value, fields]}; where it has neither of the two, it is
    {"opaque": class}; so are functions, classes and modules, with their names.

    Args:
        size: characters that the text may have, at most.

    Raises:
        TooLarge: it has more, or the value is nested more than `MAX_DEPTH` deep.

    >>> encode((1, {"a": {2.5}}), 100)
    '{"tuple": [1, {"dict": [["a", {"set": [2.5]}]]}]}'
    >>> both = [0]
    >>> encode([both, both, b"\\x01"], 100)
    '[[0], {"ref": 1}, {"bytes": "01"}]'
    """
    if type(value) is int and -_WIDE < value < _WIDE:  # most values are
        text = repr(value)
    else:
        text = dumps(_Encoder(size).tree(value, MAX_DEPTH))
    if len(text) > size:
        raise TooLarge("bytes")
    return text


class _Encoder:
    """Turns one value into a tree for JSON, as far as its size allows."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._numbers: dict[int, int] = {}
        self._kept: list[Any] = []  # what is made here must not free its id while it is numbered

    def tree(self, value: Any, depth: int) -> Any:
        if depth < 0:
            raise TooLarge("depth")
        kind = type(value)
        if kind in ATOMS:
            return self._atom(value, kind)
        if kind is not list:
            self._spend(8)
        if kind in (tuple, frozenset):
            return {_NAME(kind): self._items(value, kind, depth - 1)}
        is_built_in = kind is list or kind is dict or kind is set
        if not is_built_in and (kind in _TEXTS or _module(kind).startswith("sympy.")):
            text = str(value) if kind not in _TEXTS else repr(value)
            self._spend(len(text))
            return {"text": [_NAME(kind), text]}
        if id(value) in self._numbers:
            return {"ref": self._numbers[id(value)]}
        self._numbers[id(value)] = len(self._numbers)
        if not is_built_in and (kind in NAMED or type in _MRO(kind)):
            return {"opaque": f"{_NAME(kind)} {value.__name__}"}
        if kind is list:
            return self._items(value, list, depth - 1)
        if kind in (dict, set):
            return {_NAME(kind): self._items(value, kind, depth - 1)}
        if kind is bytearray:
            return {"bytearray": self._hexadecimal(value)}
        return self._object(value, kind, depth - 1)

    def _spend(self, size: int) -> None:
        """Takes characters that the text will have at least; `encode` counts what it has."""
        self._left -= size
        if self._left < 0:
            raise TooLarge("bytes")

    def _hexadecimal(self, value: bytes | bytearray) -> str:
        self._spend(2 * len(value))
        return value.hex()

    def _atom(self, value: Any, kind: type) -> Any:
        if kind is str:
            try:
                value.encode()
            except UnicodeEncodeError:
                return {"str": self._hexadecimal(value.encode(errors="surrogatepass"))}
            self._spend(len(value) + 2)
        elif kind is bytes:
            return {"bytes": self._hexadecimal(value)}
        elif kind is float:
            self._spend(3)
            if value - value != 0:
                return {"float": repr(value)}
        elif kind is complex:
            return {"complex": [self._atom(part, float) for part in (value.real, value.imag)]}
        elif kind is int and (bits := value.bit_length()) > 64:
            self._spend(bits // 4)
            if bits >= _LONG_BITS:
                return {"int": hex(value)}
        else:
            self._spend(1)
        return value

    def _items(self, value: Any, kind: type, depth: int) -> list[Any]:
        """The contents of a container, read by the methods of its built-in type."""
        self._spend(2 * kind.__len__(value))  # type: ignore[attr-defined]
        if kind is dict:
            read = OrderedDict.items if type(value) is OrderedDict else dict.items
            pairs = list(read(value))
            if not self._are_as_written([key for key, _ in pairs], depth):
                return [[self.tree(k, depth), self.tree(v, depth)] for k, v in pairs]
            return [[key, self.tree(each, depth)] for key, each in pairs]
        items = list(kind.__iter__(value))  # type: ignore[attr-defined]
        if kind in (set, frozenset):
            items.sort(key=lambda item: dumps(_Encoder(self._left).tree(item, depth)))
        if self._are_as_written(items, depth):
            return items
        return [self.tree(item, depth) for item in items]

    def _are_as_written(self, items: list[Any], depth: int) -> bool:
        """Whether items are all integers, floats or texts that JSON has as they are, which is told
        faster of all together than of each; takes their characters if so."""
        kinds = {*map(type, items)}
        if depth < 0 or len(kinds) != 1:
            return False
        if int in kinds:
            size = len(items) if min(items) > -_WIDE and max(items) < _WIDE else 0
        elif float in kinds:
            size = 3 * len(items) if all(map(isfinite, items)) else 0
        elif str in kinds:
            text = "".join(items)
            size = len(text) + 2 * len(items) if text.isascii() else 0
        else:
            return False
        self._spend(size)
        return size > 0

    def _object(self, value: Any, kind: type, depth: int) -> Any:
        base = self._base(value, kind, depth)
        fields = {}
        for name, field in _fields(value, kind):
            self._spend(len(name) + 4)
            fields[name] = self.tree(field, depth)
        if base is None and not fields and not _has_dict(kind):
            return {"opaque": _NAME(kind)}
        return {"object": [_NAME(kind), base, fields]}

    def _base(self, value: Any, kind: type, depth: int) -> Any:
        """The value that an instance has as one of a built-in type; None where it has none."""
        if _module(kind) == "numpy" and hasattr(value, "tolist"):
            if 2 * value.size > self._left:
                raise TooLarge("bytes")
            self._kept.append(value.tolist())
            is_plain = type(self._kept[-1]) is not kind  # that of a long double is itself
            return self.tree(self._kept[-1] if is_plain else str(value), depth)
        base = _class_of(kind).base
        if base is None:
            return None
        if base is BaseException:
            return self.tree(_ARGS(value), depth)
        if base in (tuple, frozenset, set, dict):
            return {_NAME(base): self._items(value, base, depth)}
        if base in (list, deque):
            return self._items(value, base, depth)
        return self.tree(_PLAIN[base](value), depth)


_NAME = type.__dict__["__name__"].__get__
_MRO = type.__dict__["__mro__"].__get__
_ARGS = BaseException.__dict__["args"].__get__
_PLAIN: dict[type, Any] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: bytes.__bytes__,
    bytearray: lambda value: bytearray.__getitem__(value, slice(None)),
}
"""What gives the plain value of a subclass."""


def _module(kind: type) -> str:
    module = type.__dict__["__module__"].__get__(kind)
    return module if type(module) is str else ""


def is_array(kind: type) -> bool:
    """Whether instances of a class are arrays of numpy."""
    return _module(kind) == "numpy" and _NAME(kind) == "ndarray"


def _has_dict(kind: type) -> bool:
    return any("__dict__" in type.__getattribute__(base, "__dict__") for base in _MRO(kind))


def _fields(value: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The attributes in an instance's dict and slots, whatever its class does on access; of an
    array of numpy its dtype and shape."""
    if is_array(kind):
        yield "dtype", str(value.dtype)
        yield "shape", value.shape
    for name, slot in _class_of(kind).slots:
        if name == "__dict__":
            for key, item in tuple(slot.__get__(value).items()):
                if type(key) is str and not key.startswith("__") and key.isascii():
                    yield key, item
        else:
            try:
                yield name, slot.__get__(value)
            except AttributeError:  # not set
                continue


class _Class(NamedTuple):
    """What of a class its instances need to be written."""

    mro: tuple[type, ...]
    base: type | None
    """The first of `_BASES` that it extends."""
    slots: tuple[tuple[str, Any], ...]
    """Where its instances keep their attributes: by name, or in a `__dict__`."""


_classes: dict[int, _Class] = {}
"""By the id of the class's own tuple of classes, which it keeps."""


def _class_of(kind: type) -> _Class:
    mro = _MRO(kind)
    known = _classes.get(id(mro))
    if known is None:
        base = next((base for base in _BASES if base in mro), None)
        known = _classes[id(mro)] = _Class(mro, base, tuple(_slots(mro)))
    return known


def _slots(mro: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    for base in mro:
        if _module(base) in ("builtins", "_collections", "_io", "numpy"):
            continue
        for name, slot in tuple(type.__getattribute__(base, "__dict__").items()):
            is_member = type(slot) is types.MemberDescriptorType
            is_dict = name == "__dict__" and (is_member or type(slot) is types.GetSetDescriptorType)
            if is_dict or (is_member and not name.startswith("__")):
                yield name, slot
