"""What Qt's classes have, asked of PySide6."""

from functools import cache

from PySide6 import QtCore, QtGui, QtWidgets


def find(name: str):
    """A class of Qt that Python knows as qt.<name>, or None."""
    for module in (QtWidgets, QtGui, QtCore):
        if hasattr(module, name):
            return getattr(module, name)
    return None


@cache
def _heir(name: str) -> type:
    """A subclass, which has all that the class has and a meta-object of its own.

    PySide6 gives out a class's meta-object once, and takes it back with the first widget asked for it.
    """
    return type(f"Heir{name}", (find(name),), {})


def members(name: str) -> set[str]:
    """Properties, signals and methods."""
    meta = _heir(name).staticMetaObject
    properties = {meta.property(number).name() for number in range(meta.propertyCount())}
    return properties | {member for member in dir(find(name)) if not member.startswith("_")}


def properties(name: str) -> set[str]:
    meta = _heir(name).staticMetaObject
    return {meta.property(number).name() for number in range(meta.propertyCount())}


def signals(name: str) -> set[str]:
    meta = _heir(name).staticMetaObject
    methods = [meta.method(number) for number in range(meta.methodCount())]
    is_signal = QtCore.QMetaMethod.MethodType.Signal
    return {method.name().data().decode() for method in methods if method.methodType() == is_signal}
