import json
from dataclasses import replace

import numpy as np
import pytest

from aerec.datasets import load_dataset
from aerec.errors import DataError
from aerec.models import EASE, Blend
from aerec.noise import GaussianNoise, MaskingNoise
from aerec.recommender.saving import (
    decode_parameter,
    encode_parameter,
    model_state,
    restore_state,
    training_identity,
)
from aerec.sparsity import KLSparsity, L1Sparsity, TopKSparsity
from aerec.splitting import StrongGeneralization

PARAMETERS = [
    None,
    True,
    3,
    0.25,
    "tanh",
    (600, 200),
    (1, (2.5, None), "x"),
    (),
    MaskingNoise(0.3, rescale=False),
    GaussianNoise(0.2, entries="all"),
    L1Sparsity(0.5),
    KLSparsity(0.1, 2.0),
    TopKSparsity(7),
]


@pytest.mark.parametrize("value", PARAMETERS, ids=str)
def test_parameters_pass_through_json(value):
    back = decode_parameter(json.loads(json.dumps(encode_parameter(value))))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("tanh"), "tanh"),
        ((np.int32(6), np.int64(3)), (6, 3)),
        (MaskingNoise(np.float64(0.25)), MaskingNoise(0.25)),
        (TopKSparsity(np.int64(4)), TopKSparsity(4)),
    ],
    ids=str,
)
def test_numpy_numbers_are_saved_as_plain_ones(value, expected):
    encoded = json.loads(json.dumps(encode_parameter(value)))
    assert encoded == encode_parameter(expected)
    assert decode_parameter(encoded) == expected


@pytest.mark.parametrize(
    "value", [[8, 4], (8, 4), [[1, 2], (3,)], [EASE(l2=1.0), Blend([EASE()], weights=[2])]], ids=str
)
def test_a_saved_list_stays_a_list(value):
    back = decode_parameter(json.loads(json.dumps(encode_parameter(value, lists=True))), {"EASE": EASE, "Blend": Blend})
    assert repr(back) == repr(value)
    assert decode_parameter(encode_parameter([1, 2])) == (1, 2)  # for comparisons, and in files of older versions


UNFIT = {
    "generator": np.random.default_rng(0),
    "function": len,
    "dict": {"a": 1},
    "object in a tuple": (1, object()),
    "matrix": np.eye(2),
    "array of objects": np.array([object()]),
}


@pytest.mark.parametrize("value", UNFIT.values(), ids=UNFIT)
def test_what_cannot_be_saved_is_refused_by_type(value):
    with pytest.raises(DataError, match=r"a hyper-parameter of type \w+ cannot be saved"):
        encode_parameter(value)


def test_only_choices_of_aerec_are_made_from_a_file():
    with pytest.raises(KeyError, match="Popen"):
        decode_parameter({"choice": "Popen", "fields": {"args": "true"}})


def test_a_training_is_told_from_one_with_other_data_or_candidates():
    holdout = StrongGeneralization(n_users=50).split(load_dataset("sample")).test
    kinds = [
        (holdout.history, None),
        (holdout.history, holdout),
        (holdout.history, replace(holdout, candidates=holdout.history.items[:5])),
        (holdout.history, replace(holdout, candidates=holdout.history.items[:6])),
        (holdout.history.with_weights(np.full(holdout.history.n_ratings, 2.0)), None),
        (holdout.history.matrix, None),
    ]
    identities = [json.dumps(training_identity(EASE(), *data)) for data in kinds]
    assert len(set(identities)) == len(kinds)


def test_an_array_that_the_model_does_not_know_is_not_passed_over():
    model = EASE(l2=1.0).fit(np.eye(3))
    header, tensors = model_state(model)
    header["arrays"].append("scale_")
    with pytest.raises(ValueError, match="holds scale_, which this version does not know"):
        restore_state(model, header, {**tensors, "scale_": np.ones(3)})
