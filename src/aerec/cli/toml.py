"""Writing TOML: the few forms that a run is described in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from aerec.cli.settings import format_value
from aerec.errors import DataError
from aerec.recommender.base import Recommender
from aerec.registry import model_name


def format_toml(content: Mapping[str, Any]) -> str:
    """Return nested mappings as TOML: plain values first, then a table for each mapping.

    Tuples and lists become arrays, models inline tables; what TOML has no form for (None, noise, sparsity) becomes the
    text of ``--set``.

    Examples
    --------
    >>> print(format_toml({"seed": 1, "model": {"name": "ease", "parameters": {"l2": 500.0}}}))
    seed = 1
    <BLANKLINE>
    [model]
    name = "ease"
    <BLANKLINE>
    [model.parameters]
    l2 = 500.0
    <BLANKLINE>
    """
    return "\n".join(_table(content, ())).lstrip("\n") + "\n"


def _table(content: Mapping[str, Any], above: tuple[str, ...]) -> Iterable[str]:
    plain = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    if plain and above:
        yield f"\n[{'.'.join(map(_key, above))}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {_value(value)}"
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _table(value, (*above, key))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _string(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Recommender):
        return _inline({"name": model_name(value), "parameters": value.get_params(deep=False)})
    return _string(value if isinstance(value, str) else format_value(value))


def _inline(content: Mapping[str, Any]) -> str:
    """Return a table on one line: arrays hold no other tables."""
    pairs = (
        f"{_key(key)} = {_inline(value) if isinstance(value, Mapping) else _value(value)}"
        for key, value in content.items()
    )
    return f"{{ {', '.join(pairs)} }}" if content else "{}"


def _string(text: str) -> str:
    """Return a basic string: JSON escapes all that TOML wants escaped, but for the control character 127."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(f"{text!r} is not a text that a file in UTF-8 can hold; rename it") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
