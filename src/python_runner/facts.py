"""Data classes that are made quickly: a command loads some eighty and uses half of them.

The decorator of the standard library describes each field, and writes and compiles up to
six methods for each class, which takes longer than all else that a module does. Here the
classes share what does the same in each. A class is described when somebody asks for it,
and its ``__init__`` is compiled when its first object is made.
"""

from __future__ import annotations

import dataclasses
from threading import RLock
from typing import TYPE_CHECKING, Any


__all__ = ["dataclass"]

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass
else:

    def dataclass(
        *, frozen: bool = False, eq: bool = True, slots: bool = False, **options: Any
    ) -> Callable[[type], type]:
        """Make a data class, as the decorator of that name in ``dataclasses`` does.

        Returns:
            What takes the class, and returns one that ``dataclasses`` knows as its own
            (``fields``, ``replace``). Its objects cannot be ordered.
        """

        def make(own: type) -> type:
            # Otherwise the signature is found out, to stand there.
            own.__doc__ = own.__doc__ or own.__name__
            methods: dict[str, Any] = {"__repr__": _repr}
            if eq:
                methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
            if frozen:
                methods |= _FROZEN
            if slots:
                described = {n: _Later(n, own, options) for n in _DESCRIPTION}
                cls = _slotted(own, methods | described)
            else:
                cls = _describe(own, options)
                for name in methods.keys() - own.__dict__.keys():
                    setattr(cls, name, methods[name])
            if "__init__" not in own.__dict__:
                cls.__init__ = _first_init(cls, own)
            return cls

        return make


#: What ``dataclasses`` keeps of a class in the class.
_DESCRIPTION = ("__dataclass_fields__", "__dataclass_params__", "__match_args__")
#: Objects that are made without a compiled ``__init__``.
_MADE_SLOWLY = 8
#: A class can be described once: its defaults are taken out of it.
_describing = RLock()


class _Later:
    """One of :data:`_DESCRIPTION`, which are made when the first of them is asked for."""

    def __init__(self, name: str, own: type, options: dict[str, Any]) -> None:
        self._name = name
        self._own = own
        self._options = options

    def __set_name__(self, cls: type, _name: str) -> None:
        self._class = cls

    def __get__(self, _thing: object, _owner: type) -> Any:
        cls = self._class
        with _describing:
            if cls.__dict__[self._name] is self:
                _describe(self._own, self._options)
                for name in _DESCRIPTION:
                    setattr(cls, name, self._own.__dict__[name])
        return cls.__dict__[self._name]


def _describe(own: type, options: dict[str, Any]) -> Any:
    """Let ``dataclasses`` describe a class, and write none of its methods."""
    return dataclasses.dataclass(init=False, repr=False, eq=False, **options)(own)


def _slotted(own: type, methods: dict[str, Any]) -> Any:
    """Return a class with slots for the fields of ``own``, and those of these methods that it has not."""
    names = [
        name for name, kind in own.__annotations__.items() if "ClassVar" not in kind
    ]
    above = {
        slot for base in own.__mro__[1:] for slot in base.__dict__.get("__slots__", ())
    }
    namespace = methods | own.__dict__
    for name in ("__dict__", "__weakref__", *names):
        namespace.pop(name, None)
    namespace["__slots__"] = tuple([name for name in names if name not in above])
    cls = type(own)(own.__name__, own.__bases__, namespace)
    cls.__qualname__ = own.__qualname__
    return cls


def _first_init(cls: Any, own: type) -> Callable[..., None]:
    """Return the ``__init__`` of a class without objects.

    To compile the real one takes as long as to make many objects without it.
    """
    left = _MADE_SLOWLY
    defaults: list[tuple[str, Any]] | None = None

    def __init__(self: Any, *args: Any, **values: Any) -> None:  # noqa: N807
        nonlocal left, defaults
        left -= 1
        if defaults is None:
            defaults = _defaults(cls, own)
        if args or left < 0 or not _set_all(self, defaults, values):
            cls.__init__ = _init(cls)
            cls.__init__(self, *args, **values)
        elif hasattr(cls, "__post_init__"):
            self.__post_init__()

    return __init__


def _defaults(cls: Any, own: type) -> list[tuple[str, Any]]:
    """Return the fields of a class and what they are without a value; [] if unknown."""
    described = not isinstance(cls.__dict__["__dataclass_fields__"], _Later)
    if described or own.__bases__ != (object,):
        return []
    missing = dataclasses.field()
    return [
        (name, own.__dict__.get(name, missing))
        for name, kind in own.__annotations__.items()
        if "ClassVar" not in kind
    ]


def _set_all(
    self: Any, defaults: list[tuple[str, Any]], values: dict[str, Any]
) -> bool:
    """Set the fields of an object; say whether these values are what it takes."""
    given = 0
    for name, default in defaults:
        value = default
        if isinstance(default, dataclasses.Field):
            if not default.init:
                # Only a class with such fields knows what becomes of them.
                return False
            if name in values:
                pass
            elif default.default is not dataclasses.MISSING:
                value = default.default
            elif default.default_factory is not dataclasses.MISSING:
                value = default.default_factory()
            else:
                return False
        if name in values:
            value = values[name]
            given += 1
        object.__setattr__(self, name, value)
    return given == len(values) and bool(defaults)


def _init(cls: Any) -> Callable[..., None]:
    """Compile the ``__init__`` that sets the fields of ``cls``."""
    namespace: dict[str, Any] = {"_put": object.__setattr__, "_new": object()}
    places, names, lines = ["self"], list[str](), list[str]()
    for field in dataclasses.fields(cls):
        argument = value = field.name
        if field.default is not dataclasses.MISSING:
            namespace[f"_default_{field.name}"] = field.default
            argument += f"=_default_{field.name}"
        elif field.default_factory is not dataclasses.MISSING:
            namespace[f"_make_{field.name}"] = field.default_factory
            argument += "=_new"
            value = f"_make_{field.name}() if {value} is _new else {value}"
        if field.init:
            (names if field.kw_only else places).append(argument)
            lines.append(f" _put(self, {field.name!r}, {value})\n")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()\n")
    arguments = ", ".join([*places, *(["*", *names] if names else [])])
    exec(f"def __init__({arguments}):\n{''.join(lines)}", namespace)  # noqa: S102
    made: Callable[..., None] = namespace["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, field.name) for field in dataclasses.fields(self)])


def _repr(self: Any) -> str:
    shown = [field.name for field in dataclasses.fields(self) if field.repr]
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
    return f"{type(self).__qualname__}({values})"


def _eq(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return _compared(self) == _compared(other)


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _compared(self: Any) -> tuple[Any, ...]:
    fields = [field for field in dataclasses.fields(self) if field.compare]
    return tuple([getattr(self, field.name) for field in fields])


def _refuse_set(_self: Any, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(_self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _restore(self: Any, state: tuple[Any, ...]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


#: Methods of a class whose objects never change; they can be pickled.
_FROZEN: dict[str, Any] = {
    "__setattr__": _refuse_set,
    "__delattr__": _refuse_delete,
    "__getstate__": _values,
    "__setstate__": _restore,
}
