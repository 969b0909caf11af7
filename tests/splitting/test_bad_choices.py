"""Choices that are no numbers are refused in words when they are made: splitters, noise, penalties, re-rankers."""

import dataclasses

import pytest

from aerec import noise, reranking, sparsity, splitting

CHOICES = [
    getattr(module, name)
    for module in (splitting, noise, sparsity, reranking)
    for name in module.__all__
    if dataclasses.is_dataclass(getattr(module, name)) and name not in ("Holdout", "Split")
]
FIELDS = [
    (choice, field.name)
    for choice in CHOICES
    for field in dataclasses.fields(choice)
    if field.type not in ("bool", "str") and "Literal" not in str(field.type)
]


@pytest.mark.parametrize("value", ["x", b"x", [1], float("nan"), float("inf"), -1], ids=repr)
@pytest.mark.parametrize(("choice", "name"), FIELDS, ids=[f"{choice.__name__}.{name}" for choice, name in FIELDS])
def test_what_is_no_value_of_a_field_is_named(choice, name, value):
    needed = {
        field.name: 1
        for field in dataclasses.fields(choice)
        if field.default is field.default_factory is dataclasses.MISSING
    }
    with pytest.raises(ValueError, match=name.removesuffix("s")):
        choice(**{**needed, name: value})
