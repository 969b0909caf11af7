"""Messages of the library name parameters of Python; here they become what can be typed in a shell."""

from __future__ import annotations

import re
import sys
import warnings
from typing import Any

_COLUMN = "user|item|rating|timestamp|weight"
_WORDS = [
    (r"pass rating=None for implicit feedback", "give --implicit where each row is a like"),
    (r"^steer:", "--steer:"),
    (r"rating=None", "--implicit"),
    (r"\btext=\['([^']*)'\]", r"--text \1"),
    (r"timestamp=None", "--timestamp none"),
    (r"\btimestamp=('[^']*')", r"--timestamp \1"),
    (r"\brating=('[^']*')", r"--rating \1"),
    (rf"\b({_COLUMN})=…", r"--\1 COLUMN"),
    (rf'\b({_COLUMN})="([^"]*)"', r"--\1 \2"),
    (r"\bsep=('[^']*'|\"[^\"]*\")", r"--separator \1"),
    (r"name the fields of a file without a header with columns=\([^)]*\)", "give --no-header if it has none"),
    (r"name the order with columns=\([^)]*\)", "name them by number, as in --user 2 --item 3"),
    (r"(?:pass |with )?columns=\([^)]*\)", "--no-header"),
    (r"\bcolumns= names", "--no-header names"),
    (r"the weights out with train\.with_weights\(None\)", "out --weight"),
    (r"\bweight='[^']*'", "--weight"),
    (r"\boverwrite=True\b", "--overwrite"),
    (r"\btake solver=\"(\w+)\"", r"take --set solver=\1"),
    (r"\buse ELSA\b", "take --model elsa"),
    (r"\bor ELSA\b", "or --model elsa"),
    (r"filter\(min_per_item=\.\.\.\)", "--min-per-item"),
    (r"; exclude_seen=False ranks these too", ""),
    (r"; use RandomHoldout", "; take --split random"),
    (r"; give features=…", ", which --rerank takes from the data; tail:0.2 needs neither"),
    (r"give an Interactions with timestamps; a matrix has none", "name their column with --timestamp COLUMN"),
    (r"give an Interactions with timestamps, or take EASE", "name their column with --timestamp COLUMN, or take ease"),
    (r'duplicates="sum" adds them up', "--counts adds up plays or clicks"),
    (r"\bduplicates=[\"']sum[\"']", "--counts"),
    (r"\bduplicates=[\"']first[\"']", "--keep first"),
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


def say(kind: str, text: object) -> None:
    """Print "aerec: `kind`: `text`" to standard error, as one line in words of the shell."""
    print(f"aerec: {kind}: {' '.join(in_shell_words(str(text)).split())}", file=sys.stderr)  # noqa: T201


def warn_in_one_line() -> None:
    """Make each warning of this process a line on standard error."""
    warnings.showwarning = _one_line  # type: ignore[assignment]


def _one_line(message: Warning | str, category: type[Warning], *_: Any) -> None:
    if not issubclass(category, DeprecationWarning | FutureWarning):
        say("warning", message)
