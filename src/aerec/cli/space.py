"""`--space`: what a search may choose from, as text."""

from __future__ import annotations

from aerec.cli.settings import format_value, parse_value
from aerec.parameters import is_number
from aerec.search_spaces import Choice, Dimension, Number, Space, Whole

_FORMS = "write name=low:high, name=low:high:log or name=one|two|three, such as l2=10:20000"


def parse_dimension(text: str, usual: Space) -> tuple[str, Dimension]:
    """Return name and dimension of a text such as ``l2=10:20000`` or ``activation=tanh|relu``.

    A range is searched on the scale of the usual one, or of the word behind it, ``log`` or ``linear``; without either
    on the logarithmic scale where it spans a factor of 50.

    Parameters
    ----------
    text : str
    usual : dict
        The default space of the model.

    Raises
    ------
    ValueError
        If the text is none, or the ends are no range.

    Examples
    --------
    >>> parse_dimension("l2=10.0:20000", {})
    ('l2', Number(low=10.0, high=20000.0, log=True))
    >>> parse_dimension("hidden=200|600,200", {})
    ('hidden', Choice(values=(200, (600, 200))))
    """
    name, equals, form = text.partition("=")
    if not equals or not form:
        raise ValueError(f"--space {text!r} cannot be read; {_FORMS}")
    if "|" in form:
        return name, Choice(tuple(parse_value(value_text) for value_text in form.split("|")))
    words = form.split(":")
    ends = [parse_value(word) for word in words[:2]]
    if len(words) not in (2, 3) or words[2:] not in ([], ["log"], ["linear"]) or not all(map(is_number, ends)):
        raise ValueError(f"--space {text!r} cannot be read; {_FORMS}")
    low, high = ends
    former = usual.get(name)
    if words[2:]:
        log = words[2] == "log"
    elif isinstance(former, Number | Whole):
        log = former.log and low > 0
    else:
        log = 0 < 50 * low <= high
    whole = isinstance(former, Whole) or (former is None and isinstance(low, int) and isinstance(high, int))
    whole = whole and not isinstance(former, Number)
    try:
        return name, Whole(low, high, log) if whole else Number(float(low), float(high), log)
    except ValueError as error:
        raise ValueError(f"--space {text!r}: {error}") from None


def format_dimension(name: str, dimension: Dimension) -> str:
    """Return the text that `parse_dimension` reads as this dimension."""
    if isinstance(dimension, Choice):
        return f"{name}={'|'.join(map(format_value, dimension.values))}"
    return f"{name}={dimension.low:g}:{dimension.high:g}"
