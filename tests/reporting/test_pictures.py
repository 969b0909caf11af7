"""Pictures: one for each thing that was measured, its numbers as data of the figure and as words."""

import numpy as np
import pytest

from aerec.display.plotting import SERIES
from aerec.reporting import measure_models, write_report
from aerec.reporting.pictures import draw_pictures
from aerec.reporting.svg import matplotlib_style

matplotlib = pytest.importorskip("matplotlib")


def draw(results):
    with matplotlib_style():
        return {one.name: one for one in draw_pictures(results)}


@pytest.fixture(scope="module")
def pictures(measured):
    return draw(measured)


def lines(picture):
    return {line.get_label(): line for line in picture.figure.axes[0].lines}


def test_there_is_one_for_each_thing_measured(pictures):
    assert list(pictures) == [
        *("quality-by-time", "recall-by-k", "quality-by-popularity", "quality-by-activity"),
        *("reranked-mmr", "reranked-calibration", "learning-sparse", "code-sparse", "use-sparse"),
    ]


def test_recall_is_drawn_against_k(pictures, measured):
    drawn = lines(pictures["recall-by-k"])["ease"]
    expected = measured["models"][1]["details"]["recall_at"]
    assert list(zip(drawn.get_xdata(), drawn.get_ydata(), strict=True)) == expected
    assert pictures["recall-by-k"].figure.axes[0].get_xscale() == "log"


def test_quality_stands_at_the_time_of_its_fit_with_its_interval(pictures, measured):
    (axes,) = pictures["quality-by-time"].figure.axes
    points = [one.lines[0].get_xydata()[0].tolist() for one in axes.containers]
    means = [one["metrics"]["recall@10"]["mean"] for one in measured["models"]]
    assert points == [[0.01, means[0]], [0.2, means[1]], [3.0, means[2]]]  # shorter fits stand at 0.01
    (low, high) = axes.containers[1][2][0].get_segments()[0][:, 1]
    assert [low, high] == pytest.approx(measured["models"][1]["metrics"]["recall@10"]["interval"])


def test_groups_go_from_head_to_tail(pictures, measured):
    (axes,) = pictures["quality-by-popularity"].figure.axes
    assert [one.get_text() for one in axes.get_xticklabels()] == ["head", "middle", "tail"]
    expected = [row["value"] for row in measured["models"][0]["details"]["groups"]["by_popularity"]]
    assert lines(pictures["quality-by-popularity"])["popularity"].get_ydata() == pytest.approx(expected)


def test_models_differ_in_colour_and_in_marker_and_keep_both_everywhere(pictures):
    for name in ("recall-by-k", "quality-by-popularity"):
        drawn = lines(pictures[name])
        assert [one.get_color() for one in drawn.values()] == list(SERIES[:3])
        assert len({one.get_marker() for one in drawn.values()}) == 3


def test_the_histogram_is_of_what_is_not_at_rest(pictures, measured, results):
    (axes,) = pictures["code-sparse"].figure.axes
    at_rest = measured["models"][2]["details"]["code"]["at_rest"]
    assert np.sum(axes.patches[0].get_data().values) == pytest.approx(1 - at_rest)
    assert axes.get_title(loc="right") == f"{100 * at_rest:.0f} % at rest, not drawn"
    code = results["models"][2]["details"]["code"]  # as earlier versions wrote it, with all activations
    code["counts"][0] += code["n_rows"] * code["n_units"] - sum(code["counts"])
    del code["use"]
    former = draw(results)
    assert former["code-sparse"].figure.axes[0].get_title(loc="right") == f"{100 * at_rest:.0f} % at rest"
    assert "use-sparse" not in former


def test_the_use_of_units_falls_and_its_mean_is_what_is_not_at_rest(pictures, measured):
    code = measured["models"][2]["details"]["code"]
    assert code["use"] == sorted(code["use"], reverse=True)
    assert np.mean(code["use"]) == pytest.approx(1 - code["at_rest"], abs=0.02)
    assert f"the most used for {100 * code['use'][0]:.0f} %" in pictures["use-sparse"].alt


def test_a_recall_that_falls_is_explained(pictures, measured, tmp_path):
    assert "min(k, held-out items)" in pictures["recall-by-k"].note
    write_report(measured, tmp_path / "report.html")
    assert pictures["recall-by-k"].note in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_words_say_what_is_seen(pictures, measured):
    seen = measured["models"][1]["details"]["recall_at"]
    assert f"ease from {seen[0][1]:.3f} at 1 to {seen[-1][1]:.3f} at 50" in pictures["recall-by-k"].alt
    assert "ease" in pictures["quality-by-time"].alt
    assert all(one.alt and one.alt.endswith(".") for one in pictures.values())


def test_thirty_models_can_be_told_apart_where_there_are_no_lines(results):
    results["models"] = [{**results["models"][0], "name": f"model {number}"} for number in range(30)]
    found = draw(results)["quality-by-time"]
    points = [one.lines[0] for one in found.figure.axes[0].containers]
    assert len({(one.get_color(), one.get_marker()) for one in points}) == 30
    assert found.figure.get_figheight() > 4  # ten rows of names below


def test_two_models_that_are_validated_share_a_picture(results):
    results["models"].append({**results["models"][2], "name": "again"})
    found = draw(results)
    assert set(lines(found["validation"])) == {"sparse", "again"}


def test_names_of_files_are_plain_and_differ(results):
    results["models"] = [{**results["models"][2], "name": name} for name in ("a/b", "a b", "../ü")]
    found = draw(results)
    assert {"learning-a-b", "learning-a-b-2", "learning-model"} <= set(found)


def test_results_without_details_show_the_time_only(results):
    for model in results["models"]:
        del model["details"]
    assert list(draw(results)) == ["quality-by-time"]
    for model in results["models"]:
        model["fit_seconds"] = None
    assert draw(results) == {}


def test_errors_of_ratings_are_drawn_by_group(rating_models, rating_split):
    found = draw(measure_models(rating_models, rating_split, ("rmse", "mae")))
    assert found["quality-by-activity"].figure.axes[0].get_ylabel() == "rmse"
    assert "recall-by-k" not in found


def test_settings_of_the_user_stay_and_do_not_matter(measured):
    with matplotlib.rc_context({"font.size": 31.0, "text.usetex": True}):
        axes = draw(measured)["recall-by-k"].figure.axes[0]
        assert matplotlib.rcParams["font.size"] == 31.0
    assert axes.xaxis.label.get_size() < 20


def test_a_curve_says_what_calibration_costs_and_none_is_drawn_where_nothing_is_known(results):
    points = results["models"][1]["details"]["reranked"]["points"]
    first = next(point for point in points if point["reranker"] == "calibration")
    pictures = {picture.name: picture for picture in draw_pictures(results)}
    curve = pictures["reranked-calibration"]
    assert curve.section == "beyond"
    assert f"ease from {first['ndcg']:.3f} at {first['miscalibration']:.3f} (trade-off 0) to" in curve.alt
    for model in results["models"]:
        model["details"]["reranked"] = None
    assert not {"reranked-mmr", "reranked-calibration"} & {picture.name for picture in draw_pictures(results)}
