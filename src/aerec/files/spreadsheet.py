"""Tables that a spreadsheet can open: a cell of text is no formula."""

from __future__ import annotations

import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = r"[+-]?[0-9.,]+(?:[eE][+-]?[0-9]+)?"


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with a quotation mark before each cell of text, and name, that a spreadsheet would calculate.

    Titles and ids come from strangers; a title ``=HYPERLINK(…)`` would run where the CSV file is opened. Numbers, such
    as ``-5``, stay.

    Examples
    --------
    >>> import pandas as pd
    >>> without_formulas(pd.DataFrame({"item": ["-5", "B07"], "title": ["=1+1", "Teapot"]})).to_numpy().tolist()
    [['-5', "'=1+1"], ['B07', 'Teapot']]
    """
    safe = frame.copy(deep=False)
    for name, column in frame.items():
        if column.dtype.kind not in "O" or isinstance(column.dtype, pd.CategoricalDtype):
            continue
        risky = column.str.startswith(_FORMULA, na=False).astype(bool)
        if risky.any():
            formula = risky & ~column.str.fullmatch(_NUMBER, na=False).astype(bool)
            safe[name] = column.where(~formula, "'" + column.astype(str))
    return safe.rename(columns=lambda name: f"'{name}" if str(name).startswith(_FORMULA) else name)
