"""Units of a sparse code turned up and down: in the engine, over HTTP, and what is refused."""

import numpy as np
import pytest

from aerec.baselines import PureSVD
from aerec.models import SparseCode
from aerec.serving import Engine


@pytest.fixture(scope="module")
def code(likes):
    return SparseCode(PureSVD(n_factors=16), n_units=48, n_active=6, epochs=20, progress=False).fit(likes)


@pytest.fixture(scope="module")
def code_path(code, likes, save_run, tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("code") / "run", code, likes, threshold=4.0)


@pytest.fixture
def steered(serve, code_path):
    return serve(code_path)


def items(answer):
    assert answer.status_code == 200, answer.text
    return [(one["item"], pytest.approx(one["score"], rel=1e-5)) for one in answer.json()["items"]]


def expected(frame):
    return list(zip(frame["item"].tolist(), frame["score"].tolist(), strict=True))


def test_a_steered_list_is_that_of_the_library(steered, code, likes):
    unit = int(np.argmax(code.activity_))
    weights = {unit: 2 * float(code.strength_[unit]), 3: -0.5}
    liked = likes.items[:3].tolist()
    wanted = {"history": liked, "k": 5}
    assert items(steered.post("/v1/recommend", json=wanted)) == expected(code.recommend({"x": liked}, k=5))
    found = steered.post("/v1/recommend", json={**wanted, "steer": {str(unit): weights[unit], "3": -0.5}})
    assert items(found) == expected(code.recommend({"x": liked}, k=5, steer=weights))
    found = steered.post("/v1/recommend", json={"history": [], "k": 5, "steer": {str(unit): 1.0}})
    assert items(found) == expected(code.recommend({"x": []}, k=5, steer={unit: 1.0}))
    user = likes.users[4]
    found = steered.get(f"/v1/users/{user}/recommendations?k=5&steer={unit}:{weights[unit]}&steer=3:-0.5")
    assert items(found) == expected(code.recommend(likes, k=5, users=[user], steer=weights))


def test_turned_up_the_items_of_a_unit_rise(steered, code, likes):
    described = steered.get("/v1/units?k=3").json()["units"]
    unit = described[0]
    stands_for = set(code.describe_code(unit["unit"], 20)["item"])
    counts = []
    for times in (-3, 0, 3):
        wanted = {"history": likes.items[:4].tolist(), "k": 10, "steer": {unit["unit"]: times * unit["strength"]}}
        shown = steered.post("/v1/recommend", json=wanted).json()["items"]
        counts.append(len(stands_for & {one["item"] for one in shown}))
    assert counts[0] <= counts[1] < counts[2]


def test_units_are_described_most_active_first(steered, code):
    found = steered.get("/v1/units?k=4").json()
    assert found["model"] == "sparse-code"
    assert [one["unit"] for one in found["units"]] == np.argsort(-code.activity_, kind="stable")[:4].tolist()
    for one in found["units"]:
        assert one["activity"] == pytest.approx(float(code.activity_[one["unit"]]))
        assert one["strength"] == pytest.approx(float(code.strength_[one["unit"]]))
        assert len(one["titles"]) == 4
    named = steered.get("/v1/units?unit=7&unit=2&unit=7&unit=999").json()["units"]
    assert [one["unit"] for one in named] == [7, 2]
    assert steered.get("/v1/models").json()["models"][0]["steerable"] is True


def test_reasons_are_those_of_the_steered_code(steered, code, likes):
    raises = [code.scorer_.unit_weights(unit, 1.0)[10] for unit in range(48)]
    unit = int(np.argmax(raises))  # one that speaks for an item which is not in the history
    wanted = {"history": likes.items[:3].tolist(), "k": 5, "explain": True}
    found = steered.post("/v1/recommend", json={**wanted, "steer": {unit: 5 * float(code.strength_[unit])}}).json()
    first = found["items"][0]["units"][0]
    assert first["unit"] == unit
    assert first["activation"] >= 5 * float(code.strength_[unit]) - 1e-4
    assert first["strength"] == pytest.approx(float(code.strength_[unit]))


@pytest.mark.parametrize(
    ("steer", "reason"),
    [
        ({"48": 1.0}, "a unit is a whole number from 0 to 47, got 48"),
        ({"-1": 1.0}, "steer"),
        ({"x": 1.0}, "steer"),
        ({"3": 1.0, "03": 2.0}, "a unit is named twice"),
        ({"1_0": 1.0}, "input should be a whole number in the digits 0 to 9"),
        ({"1": "much"}, "steer"),
        ({"1": "1_0"}, "steer"),
        ({str(one): 1.0 for one in range(101)}, "steer"),
    ],
)
def test_what_cannot_be_steered(steered, refused, likes, steer, reason):
    wanted = {"history": likes.items[:1].tolist(), "steer": steer}
    assert reason in refused(steered.post("/v1/recommend", json=wanted), 422)


def test_mistakes_in_an_address(steered, refused, likes):
    address = f"/v1/users/{likes.users[0]}/recommendations?steer="
    assert "cannot be read; write unit:weight" in refused(steered.get(f"{address}much"), 422)
    assert "cannot be read; write unit:weight" in refused(steered.get(f"{address}1:1_0"), 422)
    for parameter in ("k=1_0", "k=１", "year_from=1_999", "k=10.0"):
        wrong = refused(steered.get(f"/v1/users/{likes.users[0]}/recommendations?{parameter}"), 422)
        assert "a whole number in the digits 0 to 9" in wrong
    assert "a whole number in the digits 0 to 9" in refused(steered.get("/v1/units?unit=1_0"), 422)
    assert "unit 3 is named twice" in refused(steered.get(f"{address}3:1,3:2"), 422)
    assert "must be a finite number" in refused(steered.get(f"{address}3:nan"), 422)


def test_other_models_have_no_units_to_steer(client, refused, likes):
    assert "ease has no units to steer; sparse-code has" in refused(client.get("/v1/units"), 404)
    wanted = {"history": likes.items[:1].tolist(), "steer": {"0": 1.0}}
    assert "ease has no units to steer" in refused(client.post("/v1/recommend", json=wanted), 422)
    assert client.get("/v1/models").json()["models"][0]["steerable"] is False


def test_steering_leaves_the_engine_as_it_was(code_path, likes):
    engine = Engine(code_path)
    history = [(item, None) for item in likes.items[:3].tolist()]
    before = engine.recommend(history)
    assert engine.recommend(history, steer={1: 9.0}) != before
    assert engine.recommend(history) == before
