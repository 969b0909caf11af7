"""Messages of the library name parameters of Python; here they become what can be typed in a shell."""

from __future__ import annotations

import re

__all__ = ["in_shell_words"]

_COLUMN = "user|item|rating|timestamp"
_WORDS = [
    (r"pass rating=None for implicit feedback", "give --implicit where each row is a like"),
    (r"rating=None", "--implicit"),
    (r"timestamp=None", "--timestamp none"),
    (rf"\b({_COLUMN})=…", r"--\1 COLUMN"),
    (r"\bsep=('[^']*'|\"[^\"]*\")", r"--separator \1"),
    (r"(?:pass |with )?columns=\([^)]*\)", "--no-header"),
    (r"\bcolumns= names", "--no-header names"),
    (r"\boverwrite=True\b", "--overwrite"),
    (r"; to keep another one, drop the rest from the frame first", ""),
]


def in_shell_words(message: str) -> str:
    """Return `message` with options of the command line in place of parameters of Python.

    Examples
    --------
    >>> from aerec.cli.wording import in_shell_words
    >>> in_shell_words("name it with rating=…, or pass rating=None for implicit feedback")
    'name it with --rating COLUMN, or give --implicit where each row is a like'
    """
    for python, shell in _WORDS:
        message = re.sub(python, shell, message)
    return message
