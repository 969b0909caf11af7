"""Names that are imported when they are asked for, so that ``import aerec`` costs nothing."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

_Value = TypeVar("_Value")


def exported_names(package: str) -> dict[str, str]:
    """Return each public name of a package, and the module that it comes from, as its ``__init__.pyi`` says.

    The stub is what type checkers and editors read; one import in it is all that a new name needs.
    """
    folder = Path(__file__).parent.joinpath(*package.split(".")[1:])
    body = ast.parse((folder / "__init__.pyi").read_text(encoding="utf-8")).body
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def lazy_exports(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package with an ``__init__.pyi``."""
    places = exported_names(package)

    def get(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if places[name] == package:
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(places[name]), name)

    return get, lambda: sorted(places), sorted(places)


class LazyMapping(Mapping[str, _Value]):
    """A mapping of known names to values that are made when they are asked for.

    Parameters
    ----------
    names : iterable of str
    load : callable
        From a name to its value.
    """

    def __init__(self, names: Iterable[str], load: Callable[[str], _Value]) -> None:
        self._names = dict.fromkeys(names)
        self._load = load

    def __getitem__(self, name: str) -> _Value:
        if name not in self._names:
            raise KeyError(name)
        return self._load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
