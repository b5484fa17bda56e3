"""Qt as Slicer's Python sees it (PythonQt), on top of PySide6.

Properties are attributes, enums are ints, signals have connect, and what PythonQt refuses is refused
here: an unknown attribute, a property of the wrong type, keyword arguments, subclasses of Qt classes.
"""

import enum
import functools
import inspect
import numbers
import types

from PySide6 import QtCore, QtGui, QtWidgets
from shiboken6 import Shiboken

CONNECTIONS: list[tuple] = []
"""(object, signal name, slot, handler) of each connection made from Python."""

ERA = [0]
"""Raised when an application ends; slots of an earlier one are not called any more."""

NOT_IN_PYTHONQT = {"Signal", "Slot", "Property", "ClassInfo", "QtMsgType"}
NUMBERS = {"bool": bool, "int": int, "uint": int, "double": float, "float": float}
MODAL_CLASSES = {
    "QFileDialog": "get",
    "QInputDialog": "get",
    "QColorDialog": "get",
    "QFontDialog": "get",
    "QMessageBox": ("question", "information", "warning", "critical", "about"),
}


class EnumValue(int):
    """An int that remembers which Qt enum it came from, because PySide6 takes no plain int for one."""

    def __new__(cls, member):
        self = super().__new__(cls, member.value)
        self.raw = member
        return self

    def _combined(self, value) -> "EnumValue":
        return EnumValue(type(self.raw)(value))

    def __or__(self, other):
        return self._combined(int(self) | int(other))

    def __and__(self, other):
        return self._combined(int(self) & int(other))

    def __xor__(self, other):
        return self._combined(int(self) ^ int(other))

    def __invert__(self):
        return EnumValue(~self.raw)

    __ror__, __rand__, __rxor__ = __or__, __and__, __xor__


class Method:
    """A Qt method: arguments go in bare, results come out wrapped."""

    def __init__(self, function):
        self.raw = function

    def __call__(self, *args):
        return wrap(self.raw(*map(raw, args)))


class Signal:
    """A signal of one object."""

    def __init__(self, owner, name: str, signal):
        self._owner, self._name, self._signal = owner, name, signal

    def connect(self, slot) -> bool:
        if not callable(slot):
            raise TypeError(f"{self._name}.connect needs something to call, not {slot!r}")
        handler = slot.raw if isinstance(slot, Method) else _handler(slot, self._count())
        self._signal.connect(handler)
        CONNECTIONS.append((self._owner, self._name, slot, handler))
        return True

    def _count(self) -> int:
        """How many values the signal has; that of clicked counts, though it may be left out."""
        meta = type(self._owner).staticMetaObject
        methods = (meta.method(index) for index in range(meta.methodCount()))
        return max(m.parameterCount() for m in methods if m.name() == self._name.encode())

    def disconnect(self, *slots) -> bool:
        """All slots made in Python, or the one given; False if there was none."""
        mine = [c for c in CONNECTIONS if c[0] is self._owner and c[1] == self._name]
        found = [c for c in mine if not slots or c[2] == slots[0]]
        for connection in found:
            self._signal.disconnect(connection[3])
            CONNECTIONS.remove(connection)
        return bool(found)

    def emit(self, *values) -> None:
        self._signal.emit(*map(raw, values))

    __call__ = emit


class Proxy:
    """One Qt object (or value, such as a QSize)."""

    __slots__ = ("__weakref__", "_raw")

    def __init__(self, bare):
        object.__setattr__(self, "_raw", bare)

    def __getattr__(self, name):
        bare = self._alive(name)
        if isinstance(bare, QtCore.QObject):
            if name == "className":  # PythonQt's own addition
                return type(bare).staticMetaObject.className
            if (found := _property(bare, name)) is not None:
                return wrap(_read(bare, found.name()))
        value = _public(bare, name)
        if isinstance(value, QtCore.SignalInstance):
            return Signal(bare, name, value)
        if name in ("exec", "exec_") and isinstance(bare, QtWidgets.QDialog | QtWidgets.QMenu):
            return _modal(f"{type(bare).__name__}.{name}")
        return wrap(value)

    def __setattr__(self, name, value):
        bare = self._alive(name)
        found = _property(bare, name) if isinstance(bare, QtCore.QObject) else None
        if found is None:
            raise AttributeError(f"{type(bare).__name__} has no property '{name}' that could be set")
        if not found.isWritable():
            raise AttributeError(f"property '{name}' of {type(bare).__name__} is not writable")
        _write(bare, found, raw(value))

    def _alive(self, name):
        if not Shiboken.isValid(self._raw):
            raise ValueError(f"'{name}' asked of a destroyed {type(self._raw).__name__}")
        return self._raw

    def __bool__(self):
        return Shiboken.isValid(self._raw)

    def __eq__(self, other):
        return isinstance(other, Proxy) and self._raw == other._raw

    def __hash__(self):
        return hash(self._raw)

    def __repr__(self):
        return f"<{type(self._raw).__name__} of Qt>"


class ProxyClass:
    """A Qt class or enum. Attributes can be replaced, so that a test answers a file dialog."""

    def __init__(self, bare: type):
        self.__dict__["_raw"] = bare

    def __call__(self, *args):
        return wrap(self._raw(*map(raw, args)))

    def __getattr__(self, name):
        value = _public(self._raw, name)
        modal = MODAL_CLASSES.get(self._raw.__name__)
        if modal and name.startswith(modal):
            return _modal(f"{self._raw.__name__}.{name}")
        return wrap(value)

    def __instancecheck__(self, instance):
        return isinstance(raw(instance), self._raw)

    def __repr__(self):
        return f"<class {self._raw.__name__} of Qt>"


class QtModule(types.ModuleType):
    """``qt``: everything of QtCore, QtGui and QtWidgets in one module."""

    def __getattr__(self, name):
        for module in (QtCore, QtGui, QtWidgets):
            if not name.startswith("_") and name not in NOT_IN_PYTHONQT and hasattr(module, name):
                value = wrap(getattr(module, name))
                setattr(self, name, value)  # one object per class, so that a test can replace its attributes
                return value
        raise AttributeError(f"qt has no '{name}'")


def wrap(value):
    """What PythonQt would hand to Python for this value of PySide6."""
    if isinstance(value, enum.Enum):
        return EnumValue(value)
    if isinstance(value, Shiboken.Object):
        return Proxy(value)
    if isinstance(value, type) and issubclass(value, Shiboken.Object | enum.Enum):
        return ProxyClass(value)
    if isinstance(value, list | tuple):
        return type(value)(map(wrap, value))
    if isinstance(value, types.BuiltinFunctionType | types.MethodType | types.FunctionType):
        return Method(value)
    return value


def raw(value):
    """What PySide6 needs for this value from Python."""
    if isinstance(value, Proxy | ProxyClass):
        return value._raw
    if isinstance(value, EnumValue | Method):
        return value.raw
    if isinstance(value, list | tuple):
        return type(value)(map(raw, value))
    if isinstance(value, dict):
        return {key: raw(item) for key, item in value.items()}
    if isinstance(value, types.FunctionType | types.MethodType | functools.partial):
        return _handler(value)
    return value


def _handler(slot, available: int | None = None):
    """Calls a Python slot with as many of the values available as it takes, as PythonQt does."""
    parameters = inspect.signature(slot).parameters.values()
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    count = available if several else len(positional)
    era = ERA[0]

    def handler(*values):
        if era == ERA[0]:
            slot(*map(wrap, values[:count]))

    if available is None:
        return handler
    # PySide6 looks at the number of parameters and gives *values nothing that may be left out.
    fixed = (lambda: handler(), lambda a: handler(a), lambda a, b: handler(a, b), handler)
    return fixed[min(available, count, 3)]


def _public(owner, name: str):
    """getattr without what PythonQt does not offer."""
    # The string form of connect exists in PythonQt too, but is not used in this project.
    if name.startswith("_") or name == "connect":
        raise AttributeError(f"{getattr(owner, '__name__', type(owner).__name__)} has no '{name}'")
    return getattr(owner, name)


def _property(bare, name: str):
    """The QMetaProperty of this name or None. PythonQt calls an object's name both name and objectName."""
    meta = type(bare).staticMetaObject  # that of the object itself would die with it
    index = meta.indexOfProperty(name)
    if index < 0 and name == "name":
        index = meta.indexOfProperty("objectName")
    return meta.property(index) if index >= 0 else None


def _read(bare, name: str):
    try:
        return bare.property(name)
    except RuntimeError:  # PySide6 has no converter for most flags; their getters work
        getter = getattr(bare, name, None) or getattr(bare, "is" + name[0].upper() + name[1:])
        return getter()


def _write(bare, found, value) -> None:
    name, kind = found.name(), found.typeName()
    refused = AttributeError(f"property '{name}' of type {kind} does not take {value!r}")
    if kind in NUMBERS:
        if not isinstance(value, numbers.Number):
            raise refused
        value = NUMBERS[kind](value)
    elif kind == "QString":
        if value is None:
            raise refused
        value = str(value)
    elif kind == "QStringList":
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise refused
        value = list(value)
    elif found.isEnumType() and isinstance(value, int):
        value = type(_read(bare, name))(value)
    if not bare.setProperty(name, value):
        raise refused


def _modal(name: str):
    def refuse(*args):
        raise AssertionError(f"{name} would wait for a person: the test must replace it")

    return refuse
