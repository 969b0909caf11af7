"""Hyper-parameters and ids as text: what `--set`, `--user` and `--history` mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from aerec.cli.options import parse_list
from aerec.errors import DataError, names_like
from aerec.ids import id_from_text
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.numerals import number_from_text, whole_from_text
from aerec.parameters import check_parameters
from aerec.recommender.base import Recommender
from aerec.registry import get_model_class, model_name
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity

_CHOICES: dict[str, tuple[type[Any], dict[str, Any]]] = {  # word → class, and the fields that the word stands for
    "held-out": (MaskingNoise, {"hold_out": True}),
    "masking": (MaskingNoise, {}),
    "gaussian": (GaussianNoise, {}),
    "l1": (L1Sparsity, {}),
    "kl": (KLSparsity, {}),
    "topk": (TopKSparsity, {}),
}
_WORDS = {"none": None, "true": True, "false": False}
MODELS_INSIDE = ("model", "models")
"""The hyper-parameters that hold other models."""


def build_model(
    model: type[Recommender], settings: Iterable[str], given: Mapping[str, Any] | None = None, **defaults: Any
) -> Recommender:
    """Return a recommender with the hyper-parameters of texts such as "hidden=600,200" or "noise=masking:0.5".

    Parameters
    ----------
    model : class
    settings : iterable of str
        ``name=value``: numbers, true, false, none, lists with commas, with brackets around them or not; noise as
        masking:p, held-out:p or gaussian:scale; sparsity as l1:weight, kl:target:weight or topk:k. Models inside the
        model by name, ``model=mult-dae`` or ``models=ease,elsa``, and a hyper-parameter of one as ``model__l2=100``.
    given : mapping, optional
        Values of parameters; `defaults` and `settings` count more.
    **defaults
        Used where the model has a parameter of that name and it is not None.

    Raises
    ------
    ValueError
        If a name is unknown (lists those that there are) or a text is no setting.
    """
    known = model().get_params(deep=False)
    values = {name: value for name, value in defaults.items() if name in known and value is not None}
    values = {**(given or {}), **values}
    of_parts: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"{setting!r} is no setting; write name=value, such as epochs=50")
        *path, last = name.split("__")
        own = name if not path else path[0]
        if not all((*path, last)):
            raise ValueError(f"{setting!r} is no setting; write that of a model inside as model__epochs=50")
        if own not in known:
            raise ValueError(f"{model.__name__} has no parameter {own!r}; {names_like(own, known)}")
        value = parse_value(text)
        if last in MODELS_INSIDE and value is not None:
            names = parse_list(_without_brackets(text))
            parts = tuple(build_model(get_model_class(part), [], **defaults) for part in names)
            value = parts[0] if last == "model" and len(parts) == 1 else parts
        (of_parts if path else values)[name] = value
    recommender = model(**values)
    check_parameters(recommender)
    if of_parts:
        check_parameters(recommender.set_params(**of_parts))
    return recommender


def settings_of(model: Recommender) -> Iterator[str]:
    """Yield the texts that make `build_model` return an equal model, but for the seed: what is not as by default.

    Models in a list, as of `Blend`, are told by their names alone.

    Examples
    --------
    >>> from aerec.models import EASE, RecencyWeighted
    >>> [*settings_of(RecencyWeighted(EASE(l2=100.0), half_life=2.0))]
    ['half_life=2.0', 'model=ease', 'model__l2=100.0']
    """
    usual = type(model)().get_params(deep=False)
    for name, value in model.get_params(deep=False).items():
        if isinstance(value, Recommender):
            yield f"{name}={model_name(value)}"
            yield from (f"{name}__{setting}" for setting in settings_of(value))
        elif format_value(value) != format_value(usual[name]) and name not in ("seed", "progress"):
            yield format_setting(name, value)


def format_setting(name: str, value: Any) -> str:
    """Return the text that `build_model` reads as this value of the hyper-parameter `name`.

    Examples
    --------
    >>> format_setting("hidden", (600, 200)), format_setting("noise", MaskingNoise(0.3))
    ('hidden=600,200', 'noise=masking:0.3')
    """
    return f"{name}={format_value(value)}"


def format_value(value: Any) -> str:
    """Return the text of a value, as in `format_setting`."""
    if isinstance(value, Recommender):
        return model_name(value)
    if isinstance(value, tuple | list):
        return ",".join(map(format_value, value)) + ("," if len(value) == 1 else "")
    for word, (choice, fixed) in _CHOICES.items():
        if isinstance(value, choice) and all(getattr(value, name) == said for name, said in fixed.items()):
            fields = [(getattr(value, field.name), field.default) for field in _fields(word)]
            while len(fields) > 1 and fields[-1][0] == fields[-1][1]:
                fields.pop()
            return ":".join([word, *(format_value(field_value) for field_value, _ in fields)])
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def parse_choice(text: str) -> Any:
    """Return what a text stands for: noise, a sparsity, or None for "none"; any other text is itself."""
    word, *arguments = text.split(":")
    if word in _CHOICES:
        return _choice(text, word, [parse_value(argument) for argument in arguments])
    return None if text.lower() == "none" else text


def parse_value(text: str) -> Any:
    """Return a number, true, false, None, noise, a sparsity, a tuple of such, or the text itself.

    Examples
    --------
    >>> parse_value("600,200"), parse_value("[600, 200]"), parse_value("600")
    ((600, 200), (600, 200), 600)
    """
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if (choice := parse_choice(text)) is not text:
        return choice
    listed = _without_brackets(text)
    if "," in listed or listed != text:
        return tuple(parse_value(part) for part in parse_list(listed))
    for read in (whole_from_text, number_from_text):
        try:
            return read(text)
        except ValueError:  # noqa: PERF203
            continue
    return text


def _without_brackets(text: str) -> str:
    """Return what stands inside the brackets of a list as Python or JSON writes it; any other text is itself."""
    text = text.strip()
    return text[1:-1] if text[:1] + text[-1:] in ("[]", "()") else text


def _choice(text: str, word: str, values: list[Any]) -> Any:
    defaults = [field.default for field in _fields(word)]
    kinds = [(int, float) if isinstance(default, float) else type(default) for default in defaults]
    if len(values) > len(kinds) or not all(map(isinstance, values, kinds)):
        full = ":".join([word, *map(str, defaults)])
        raise ValueError(f"{text!r} cannot be read; write it like {full}, of which the end may be left out")
    choice, fixed = _CHOICES[word]
    return choice(*values, **fixed)


def _fields(word: str) -> list[dataclasses.Field[Any]]:
    """Return the fields that are written behind a word."""
    choice, fixed = _CHOICES[word]
    return [field for field in dataclasses.fields(choice) if field.name not in fixed]


def parse_ids(texts: Iterable[str], index: pd.Index[Any], what: str) -> list[Any]:
    """Return ids given as text in the type that `index` has.

    Raises
    ------
    DataError
        If a text can be no id of that type, such as a word where the ids are numbers.
    """
    ids = []
    for text in texts:
        if (identifier := id_from_text(text, index)) is None:
            kind = {"f": "number", "b": "true or false"}.get(index.dtype.kind, "whole number")
            raise DataError(f"{what} {text!r} is not a {kind}, as the {what}s of this data set are")
        ids.append(identifier)
    return ids
