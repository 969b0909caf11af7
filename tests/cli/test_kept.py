"""What is said of the ratings that were kept, and what is offered where the options do not suit the data."""

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.cli.data import Preprocessing
from aerec.cli.options import Reading
from aerec.errors import DataError


def load(tmp_path, ratings, threshold=4.0, min_per_user=1, **reading):
    """Prepare ratings of ten users, a tenth of them each."""
    n = len(ratings)
    frame = pd.DataFrame({"user": np.arange(n) % 10, "item": np.arange(n) // 10, "rating": ratings})
    frame.to_csv(tmp_path / "r.csv", index=False)
    return Preprocessing(threshold, min_per_user, 1, Reading(**reading)).load(str(tmp_path / "r.csv"), progress=False)


def text(prepared):
    return str(prepared.kept)


@pytest.fixture
def quiet(recwarn):
    """No warning may come."""
    yield
    assert [str(one.message) for one in recwarn] == []


def test_all_is_kept(tmp_path, quiet):
    assert text(load(tmp_path, [4, 5] * 10)) == "kept all 20 ratings (≥ 4) and all 10 users"


def test_clicks_have_no_threshold(tmp_path, quiet):
    prepared = load(tmp_path, [1] * 20)
    assert text(prepared) == "kept all 20 ratings and all 10 users"
    assert prepared.rules.threshold is None


def test_what_is_left_out_is_counted(tmp_path, quiet):
    stars = [5, 4, 3, 5, 4, 5, 4, 5, 4, 5] * 3 + [5, 5]
    assert text(load(tmp_path, stars)) == "kept 29 of 32 ratings (≥ 4) and 9 of 10 users (≥ 1 like)"


def test_items_that_go_are_counted(tmp_path, quiet):
    frame = pd.DataFrame({"user": [1, 2, 3, 3], "item": [7, 7, 7, 8], "rating": [5, 5, 5, 5]})
    frame.to_csv(tmp_path / "r.csv", index=False)
    prepared = Preprocessing(None, 1, 2).load(str(tmp_path / "r.csv"), progress=False)
    assert text(prepared) == "kept 3 of 4 ratings and all 3 users, 1 of 2 items (≥ 2 ratings)"
    assert prepared.kept.describe()["items"] == {"kept": 1, "of": 2}


def test_more_than_half_lost_is_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="more than half of the ratings were left out by --threshold 4: lower it"):
        load(tmp_path, [5, 3, 3, 5, 1, 1, 2, 2, 3, 3] * 2)


def test_more_than_half_of_the_users_lost_is_a_warning(tmp_path):
    frame = pd.DataFrame({"user": [1] * 9 + [*range(2, 9)], "item": [*range(9), *range(7)], "rating": [5] * 16})
    frame.to_csv(tmp_path / "r.csv", index=False)
    with pytest.warns(UserWarning, match="more than half of the users were left out by --min-per-user 5"):
        Preprocessing(4.0, 5, 1).load(str(tmp_path / "r.csv"), progress=False)


def test_plays_are_told_from_stars(tmp_path):
    plays = np.random.default_rng(0).geometric(0.3, 300)
    plays[7] = 240
    with pytest.warns(UserWarning, match=r"look like counts \(1 to 240\), of which --threshold 4 kept .* --counts .*"):
        load(tmp_path, plays)


def test_counts_are_weights(tmp_path, quiet):
    prepared = load(tmp_path, [1, 3, 250, 7] * 10, counts=True)
    assert text(prepared) == "kept all 40 ratings and all 10 users"
    np.testing.assert_allclose(np.unique(prepared.parts["all"].matrix.data), np.log([2, 4, 8, 251]), rtol=1e-6)
    assert prepared.rules.describe()["counts"] is True
    with pytest.warns(UserWarning, match="1 of 2 counts are below 0, such as -1, .* they are left out"):
        assert load(tmp_path, [-1, 2], counts=True).parts["all"].n_ratings == 1
    with pytest.raises(DataError, match="--counts takes numbers above 0, the highest is -1"):
        load(tmp_path, [-1, -2], counts=True)
    with pytest.raises(DataError, match="--counts: every count is 1; name the column of counts with --rating"):
        load(tmp_path, [1, 1, 1], counts=True)


def test_counts_of_a_pair_are_added_up_also_over_files(tmp_path, quiet):
    (tmp_path / "monday.csv").write_text("user,item,rating\n1,7,2\n1,7,3\n2,7,1\n")
    (tmp_path / "tuesday.csv").write_text("user,item,rating\n1,7,4\n2,8,1\n2,8,1\n")
    days = [str(tmp_path / "monday.csv"), str(tmp_path / "tuesday.csv")]
    rules = Preprocessing(4.0, 1, 1, Reading(counts=True))
    matrix = rules.load(days[0], progress=False).parts["all"].matrix
    np.testing.assert_allclose(matrix.todense(), np.log1p([[5], [1]]), rtol=1e-6)
    matrix = rules.load(days, progress=False).parts["all"].matrix
    np.testing.assert_allclose(matrix.todense(), np.log1p([[9, 0], [1, 2]]), rtol=1e-6)


@pytest.mark.parametrize(
    ("high", "usual", "ratings"),
    [(10, "8", [7, 8, 9, 10, 4]), (100, "80", [61, 70, 85, 90, 100]), (7, "5.6", [4, 5, 6, 7, 7])],
)
def test_another_scale_is_offered_its_own_threshold(tmp_path, high, usual, ratings):
    with pytest.warns(UserWarning, match=f"run from .* to {high}, .*: --threshold {usual} is what 4 is of 5"):
        load(tmp_path, ratings * 6)
    assert load(tmp_path, ratings * 6, threshold=float(usual))  # without a warning, see `quiet`


def test_numbers_beyond_a_hundred_may_be_counts(tmp_path):
    with pytest.warns(UserWarning, match="--threshold 720 is what 4 is of 5, --implicit is for counts"):
        load(tmp_path, [100, 400, 600, 750, 900] * 6)


def test_nearly_all_is_a_plain_number(tmp_path):
    with pytest.warns(UserWarning, match="counts 99.8 % of them as likes"):
        load(tmp_path, [3, *[90, 70, 100, 80, 95] * 99])


def test_where_next_to_none_reach_four_fifths_the_median_is_proposed(tmp_path):
    dwell = [6.5, 12.5, 90.5, 200.5]
    with pytest.warns(UserWarning, match=r"counts 100 % of them as likes: --threshold 90\.5 keeps 51\.2 %"):
        load(tmp_path, [*dwell * 20, 20000, 90.5])
    with pytest.raises(DataError, match=r"all below --threshold 4; --threshold 0\.02 keeps 35\.5 %, and"):
        load(tmp_path, [0.01, 0.01, 0.02] * 10 + [3.0])


def test_a_total_among_stars_is_told(tmp_path):
    with pytest.warns(UserWarning, match="all but 1 of 301 ratings are at most 5, and the highest is 74,170"):
        load(tmp_path, [*[1, 3, 4, 5, 5] * 60, 74170])


def test_the_share_of_likes_is_that_of_what_was_read(tmp_path):
    with pytest.warns(UserWarning, match="counts 60 % of them as likes"):
        load(tmp_path, [7, 8, 9, 1, 2] * 6, min_per_user=3)


def test_a_threshold_that_was_chosen_is_left_alone(tmp_path, quiet):
    load(tmp_path, [7, 8, 9, 10, 4] * 6, threshold=7.0)


@pytest.mark.parametrize(("ratings", "usual"), [([0.1, 0.5, 1.0], "0.8"), ([-2, 0, 2], "1"), ([1, 2, 3], "2.4")])
def test_a_range_below_the_threshold_is_refused_with_one_that_fits(tmp_path, ratings, usual):
    with pytest.raises(
        DataError, match=f"all below --threshold 4; --threshold {usual} is what 4 is of 5, and --implicit"
    ):
        load(tmp_path, ratings * 10)


def test_half_stars_are_stars(tmp_path, quiet):
    load(tmp_path, [0.5, 4.5, 5, 4, 4] * 6)


def test_implicit_goes_with_no_numbers():
    for more in ({"counts": True}, {"rating": "stars"}):
        with pytest.raises(ValueError, match=r"--implicit counts every row as 1 and --.*: give one of them"):
            Reading(implicit=True, **more)


def test_a_given_split_is_counted_over_its_parts(tmp_path, quiet):
    for name, rows in (("train", [(1, 7, 5), (2, 8, 4)]), ("test", [(1, 8, 4), (2, 7, 1)])):
        pd.DataFrame(rows, columns=["user", "item", "rating"]).to_csv(tmp_path / f"{name}.csv", index=False)
    prepared = Preprocessing(4.0, 5, 1).load(str(tmp_path), progress=False)
    assert isinstance(prepared.parts["train"], Interactions)
    assert text(prepared) == "kept 3 of 4 ratings (≥ 4) and all 2 users"
