"""Numbers as text: in the digits 0 to 9, as files and command lines write them."""

from __future__ import annotations

import re

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
"""A number: Python's own ``float`` also takes ``1_0`` for 10, and the digits of all other scripts."""
_WHOLE = re.compile(r"[+-]?[0-9]+")


def number_from_text(text: str) -> float:
    """Return the number that `text` is, blanks around it aside; a ValueError where it is none.

    Examples
    --------
    >>> from aerec.numerals import number_from_text
    >>> number_from_text(" 1e-3")
    0.001
    """
    if not NUMBER.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a number in the digits 0 to 9")
    return float(text)


def whole_from_text(text: str) -> int:
    """Return the whole number that `text` is, blanks around it aside; a ValueError where it is none.

    Examples
    --------
    >>> from aerec.numerals import whole_from_text
    >>> whole_from_text("-20")
    -20
    """
    if not _WHOLE.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is not a whole number in the digits 0 to 9")
    return int(text)
