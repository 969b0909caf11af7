"""`aerec recommend`: for users of the data, for someone new, for all; into the terminal or a file."""

import json

import numpy as np
import pandas as pd
import pytest

from aerec import Interactions
from aerec.cli.history import new_user
from aerec.models import EASE
from aerec.reranking import Calibration, MaximalMarginalRelevance, MinimumExposure
from aerec.runs.folder import SplitPlan, read_run, write_run
from aerec.runs.new_items import FeatureFile


@pytest.fixture
def run(ease_run):
    return read_run(ease_run)


def told(result):
    """The frame that was printed as JSON."""
    assert (result.code, result.err) == (0, "")
    return pd.DataFrame(json.loads(result.out))


# ---------------------------------------------------------------------- for users of the data


def test_who_does_not_quote_an_id_is_told_how(aerec, refused, tmp_path):
    frame = pd.DataFrame({"user": list("aabbcc"), "item": ["urn:1,x", "y", "y", "z", "urn:1,x", "z"]})
    data = Interactions.from_frame(frame, rating=None)
    write_run(tmp_path / "run", EASE(l2=1.0).fit(data), {"all": data}, SplitPlan("none"), {})
    words = ["recommend", tmp_path / "run", "-k", "1"]
    code, _, err = aerec(*words, "--history", "urn:1,x,y")
    assert code == 0
    quoting = """ids that hold , or : stand in quotes, as in '"a:b":5,"c,d"'"""
    assert "2 of 3 items of --history left out: 'urn:1' is not in the data of this run; items are such as " in err
    assert quoting in err
    assert quoting in refused(*words, "--history", "urn:1,x")
    assert aerec(*words, "--history", '"urn:1,x",y').err == ""


def test_numbers_need_no_quotes(refused, ease_run):
    assert "quotes" not in refused("recommend", ease_run, "--history", "99999:5")


def test_ids_with_a_point_are_named_without_it_everywhere(aerec, tmp_path):
    frame = pd.DataFrame({"user": [1, 1, 2, 2, 3, np.nan], "item": [7, 8, 8, 9, 9, 7.0]}).dropna()
    with pytest.warns(UserWarning, match="decimal point"):
        data = Interactions.from_frame(frame, rating=None)
    model = EASE(l2=1.0).fit(data)
    write_run(tmp_path / "run", model, {"all": data}, SplitPlan("none"), {})
    loaded = read_run(tmp_path / "run").model
    assert loaded.items_.tolist() == [7, 8, 9]
    expected = model.recommend(data, k=1, users=[1])["item"].tolist()
    assert loaded.recommend({1: [7.0, 8.0]}, k=1)["item"].tolist() == expected == [9]
    assert loaded.recommend(data, k=1, users=[1.0])["item"].tolist() == expected
    for words in (["--user", "1"], ["--user", "1.0"], ["--history", "7,8.0"]):
        found = told(aerec("recommend", tmp_path / "run", *words, "-k", "1", "--json"))
        assert found["item"].tolist() == expected


def test_users_get_what_the_library_recommends(aerec, ease_run, run):
    users = list(run.data.users[[3, 0]])
    words = [word for user in users for word in ("--user", user)]
    found = told(aerec("recommend", ease_run, *words, "-k", "5", "--json"))
    expected = run.model.recommend(run.data.select_users(users), k=5)
    assert list(found.columns) == ["user", "item", "title", "rank", "score"]
    pd.testing.assert_frame_equal(found.drop(columns="title"), expected, check_dtype=False, rtol=1e-6)
    assert list(found["title"]) == [run.data.item_names[item] for item in found["item"]]


def test_what_a_user_has_rated_is_left_out_unless_asked_for(aerec, ease_run, run):
    user = run.data.users[0]
    seen = set(run.data.items[run.data.matrix[[0]].indices])
    new = told(aerec("recommend", ease_run, "--user", user, "-k", "60", "--json"))
    every = told(aerec("recommend", ease_run, "--user", user, "-k", "60", "--include-seen", "--json"))
    assert seen
    assert set(new["item"]) == set(run.data.items) - seen
    assert set(every["item"]) == set(run.data.items)


@pytest.mark.parametrize("k", ["61", "1000000", "1" + "0" * 30])
def test_a_k_beyond_the_catalogue_gives_a_shorter_list(aerec, ease_run, run, k):
    found = told(aerec("recommend", ease_run, "--user", run.data.users[0], "-k", k, "--json"))
    assert list(found["rank"]) == list(range(1, 1 + run.data.shape[1] - run.data.matrix[[0]].nnz))
    assert found["score"].is_monotonic_decreasing


def test_allowed_and_blocked_items(aerec, ease_run, run):
    user = run.data.users[0]
    free = list(run.data.items.difference(run.data.items[run.data.matrix[[0]].indices]))
    words = ["--user", user, "--allow", f"{free[0]},{free[1]}, {free[2]}", "--block", free[1], "--json"]
    assert set(told(aerec("recommend", ease_run, *words))["item"]) == {free[0], free[2]}


def test_where_nothing_is_left_that_is_said(aerec, ease_run, run):
    barred = ",".join(map(str, run.data.items))
    code, out, err = aerec("recommend", ease_run, "--user", run.data.users[0], "--block", barred)
    assert (code, err) == (0, "")
    assert out == "nothing is left to recommend: all candidates are in the history or barred\n"


def test_reasons_are_the_items_of_the_history_that_add_most(aerec, ease_run, run):
    user = run.data.users[0]
    found = told(aerec("recommend", ease_run, "--user", user, "-k", "3", "--explain", "--json"))
    seen = run.data.matrix[[0]].indices
    for row in found.itertuples():
        terms = run.model.weights_[seen, run.data.items.get_loc(row.item)]
        best = [at for at in np.argsort(-terms, kind="stable")[:3] if terms[at] > 0]
        assert row.because == [run.data.item_names[run.data.items[seen[at]]] for at in best]
        assert row.because


def test_people_get_a_line_for_each_item(aerec, ease_run, run):
    words = ["recommend", ease_run, "--user", run.data.users[0], "-k", "4", "--explain"]
    found = told(aerec(*words, "--json"))
    code, out, err = aerec(*words)
    assert (code, err) == (0, "")
    heading, *lines = out.splitlines()
    assert heading.split() == ["user", "item", "title", "rank", "score", "because"]
    assert len(lines) == 4
    for line, row in zip(lines, found.itertuples(), strict=True):
        assert line.split()[:2] == [str(row.user), str(row.item)]
        assert row.title in line
        assert "; ".join(row.because) in line


# ---------------------------------------------------------------------- for someone new


def test_someone_new_with_the_history_of_a_user_gets_the_same(aerec, ease_run, run):
    history = ",".join(map(str, run.data.items[run.data.matrix[[2]].indices]))
    user = told(aerec("recommend", ease_run, "--user", run.data.users[2], "--json"))
    new = told(aerec("recommend", ease_run, "--history", history, "--json"))
    pd.testing.assert_frame_equal(new, user.drop(columns="user"), rtol=1e-5)


def test_ratings_of_someone_new_count(aerec, rating_run):
    run = read_run(rating_run)
    items = run.data.items[[4, 9]]
    found = told(aerec("recommend", rating_run, "--history", f"{items[0]}:5, {items[1]}:1.5", "-k", "3", "--json"))
    history = Interactions.from_frame(pd.DataFrame({"user": [-1, -1], "item": items, "rating": [5, 1.5]}))
    expected = run.model.recommend(history, k=3).drop(columns="user")
    pd.testing.assert_frame_equal(found.drop(columns="title"), expected, check_dtype=False, rtol=1e-5)


def test_an_item_without_a_rating_counts_as_liked(aerec, rating_run):
    item = read_run(rating_run).data.items[4]
    best = told(aerec("recommend", rating_run, "--history", f"{item}:5", "--json"))
    pd.testing.assert_frame_equal(told(aerec("recommend", rating_run, "--history", item, "--json")), best)


def test_someone_of_whom_nothing_is_known_gets_what_is_popular(aerec, ease_run, run):
    found = told(aerec("recommend", ease_run, "--history", "", "-k", "3", "--json"))
    counts = np.bincount(run.split.train.matrix.indices, minlength=run.data.shape[1])
    assert list(found["item"]) == list(run.data.items[np.argsort(-counts, kind="stable")[:3]])


def test_text_ids_and_a_user_who_is_called_new(aerec, films, tmp_path):
    frame = films.to_frame().drop(columns="timestamp")
    called_new = frame["user"] == frame["user"].mode()[0]
    frame["user"] = ("u" + frame["user"].astype(str)).mask(called_new, "new")
    frame["item"] = "film " + frame["item"].astype(str)
    frame.to_csv(tmp_path / "text.csv", index=False)
    words = ["--model", "cdae", "--set", "hidden=4", "--epochs", "2", "--split", "none", "--out", "run"]
    assert aerec("train", "text.csv", *words).code == 0
    run = read_run("run")
    seen = run.data.select_users(["new"])
    new = told(aerec("recommend", "run", "--history", ",".join(seen.items[seen.matrix.indices]), "--json"))
    # CDAE adds a vector to the users that it was trained on: a stranger must not get that of the one called "new"
    stranger = Interactions(seen.matrix, pd.Index(["nobody"]), seen.items)
    expected = run.model.recommend(stranger).drop(columns="user")
    pd.testing.assert_frame_equal(new, expected, check_dtype=False, rtol=1e-5)
    known = told(aerec("recommend", "run", "--user", "new", "--json"))
    assert not np.allclose(known["score"], new["score"], rtol=1e-5)


# ---------------------------------------------------------------------- lists with items that are not known


def test_unknown_items_are_left_out_with_one_warning_each(aerec, ease_run):
    words = ["--history", "1,2,99999", "--allow", "3,4,ware", "--block", "4,-5"]
    code, out, err = aerec("recommend", ease_run, *words, "--json")
    assert code == 0
    assert [one["item"] for one in json.loads(out)] == [3]
    assert err.splitlines() == [
        f"aerec: warning: 1 of {n} items of {option} left out: {first!r} is not in the data of this run; "
        "items are such as 1, 2"
        for n, option, first in ((3, "--allow", "ware"), (2, "--block", "-5"), (3, "--history", "99999"))
    ]
    known = aerec("recommend", ease_run, "--history", "1,2", "--allow", "3,4", "--block", "4", "--json")
    assert known == (0, out, "")


def test_lists_may_stand_in_a_file(aerec, ease_run, tmp_path):
    (tmp_path / "stock.txt").write_text("3\n\n 4 \n", encoding="utf-8-sig")
    found = told(aerec("recommend", ease_run, "--history", "1,2", "--allow", "@stock.txt", "--json"))
    assert set(found["item"]) == {3, 4}


@pytest.fixture
def urns(aerec, films, tmp_path):
    """A run whose ids hold colons and commas."""
    frame = films.to_frame()
    frame["item"] = frame["item"].map(
        lambda item: {1: "urn", 2: "urn:1", 3: "a,b", 4: 'say "ho":5'}.get(item, f"i{item}")
    )
    frame.to_csv(tmp_path / "urns.csv", index=False)
    assert aerec("train", "urns.csv", "--model", "bias", "--min-per-user", "1", "--out", "urns").code == 0
    return tmp_path / "urns"


@pytest.mark.parametrize(
    ("text", "ratings"),
    [
        ("urn", {"urn": 5}),
        ("urn:2", {"urn": 2}),
        ("urn:1", {"urn:1": 5}),
        ("urn:1:2", {"urn:1": 2}),
        ('"urn":1', {"urn": 1}),
        ('"a,b":3, i7:2', {"a,b": 3, "i7": 2}),
        ('"say ""ho"":5"', {'say "ho":5': 5}),
        (' "a,b" , "urn:1" : 4.5 ', {"a,b": 5, "urn:1": 4.5}),
    ],
)
def test_ids_with_colons_and_commas(urns, text, ratings):
    seen = new_user(read_run(urns), text).seen.to_frame()
    assert dict(zip(seen["item"], seen["rating"], strict=True)) == ratings


def test_a_low_rating_is_no_like(aerec, ease_run, run):
    liked = told(aerec("recommend", ease_run, "--history", "1,2:4", "-k", "60", "--json"))
    mixed = told(aerec("recommend", ease_run, "--history", "1,2:5,9:1", "-k", "60", "--json"))
    pd.testing.assert_frame_equal(
        mixed.drop(columns="rank"), liked[liked["item"] != 9].drop(columns="rank").reset_index(drop=True), rtol=1e-6
    )
    assert 9 in set(liked["item"])


def test_a_rating_outside_of_the_scale(refused, rating_run):
    assert "--history: rating 9 is outside of the scale of this model, 1 to 5" in refused(
        "recommend", rating_run, "--history", "1:9"
    )


# ---------------------------------------------------------------------- into a file


@pytest.mark.parametrize("name", ["recs.parquet", "recs.csv", "recs.json", "recs.jsonl"])
def test_all_users_go_into_a_file(aerec, ease_run, run, tmp_path, name):
    read = {
        "parquet": pd.read_parquet,
        "csv": pd.read_csv,
        "json": pd.read_json,
        "jsonl": lambda path: pd.read_json(path, lines=True),
    }[name.rpartition(".")[2]]
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    code, out, err = aerec("recommend", ease_run, "-k", "3", "--out", name)
    assert (code, err) == (0, "")
    found = read(tmp_path / name)
    pd.testing.assert_frame_equal(
        found.drop(columns="title"), run.model.recommend(run.data, k=3), check_dtype=False, rtol=1e-5
    )
    assert out.partition(";")[0] == f"{len(found):,} recommendations for {run.data.shape[0]:,} users in {name}"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_may_be_of_some_users_and_printed_as_well(aerec, ease_run, run, tmp_path):
    printed = told(aerec("recommend", ease_run, "--user", run.data.users[1], "--out", "recs.csv", "--json"))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "recs.csv"), printed)


def test_reasons_go_into_json_files_as_lists(aerec, ease_run, run, tmp_path):
    words = ["--user", run.data.users[1], "--explain", "--out", "recs.json", "--json"]
    printed = json.loads(aerec("recommend", ease_run, *words).out)
    written = json.loads((tmp_path / "recs.json").read_text("utf-8"))
    assert [one["because"] for one in written] == [one["because"] for one in printed]
    assert isinstance(written[0]["because"], list)


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "name the users: --user ID, --history ID,ID,… for someone new, or --out FILE for all users"),
        (["--user", "1", "--history", "1"], "give --user or --history, not both"),
        (["--user", "99999"], "unknown user 99999"),
        (["--user", "99999", "--user", "1"], "unknown user 99999"),
        (["--user", "ann"], "user 'ann' is not a whole number, as the users of this data set are"),
        (
            ["--history", "99999"],
            "no item of --history is known: '99999' is not in the data of this run",
        ),
        (["--history", '"1'], "--history: '\"1' cannot be read; write ids with , or : as"),
        (["--history", "@nowhere.txt"], "nowhere.txt is no file; give a file with an item id on each line"),
        (["--history", "Casablanca"], "no item of --history is known: 'Casablanca'"),
        (["--history", "1,2,1"], "--history names item 1 twice"),
        (["--history", "1:good"], "rating 'good' in --history is not a number"),
        (["--history", "1:nan"], "rating 'nan' in --history is not a number"),
        (["--history", "1:inf"], "rating 'inf' in --history is not a number"),
        (["--history", "1", "--allow", "99999"], "no item of --allow is known: '99999'"),
        (["--out", "recs.xlsx"], "give one of .csv, .tsv, .json, .jsonl, also with .gz, or .parquet"),
        (["--out", "recs"], "give one of .csv, .tsv, .json, .jsonl, also with .gz, or .parquet"),
        (["--out", "nowhere/recs.csv"], "nowhere is no folder"),
        (["--out", "."], "is a folder; give the path of a file"),
        (["--user", "99999", "--out", "recs.csv"], "unknown user 99999"),
    ],
)
def test_words_that_cannot_be_used(refused, ease_run, words, reason):
    assert reason in refused("recommend", ease_run, *words)


def test_a_file_that_is_there_stays_when_something_is_wrong(refused, ease_run, tmp_path):
    (tmp_path / "recs.csv").write_text("old")
    refused("recommend", ease_run, "--history", "99999", "--out", "recs.csv")
    assert (tmp_path / "recs.csv").read_text() == "old"


def test_no_run(refused):
    assert "no run in nowhere" in refused("recommend", "nowhere", "--user", "1")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("truncated", "is truncated or altered: its checksum does not fit"),
        ("tampered", "is truncated or altered: its checksum does not fit"),
        ("newer", "written by aerec 99.0; this is aerec"),
        ("edited", "run.json was altered after it was saved"),
        ("absent", "model.json does not exist"),
        ("no data", "all.json does not exist"),
    ],
)
def test_a_damaged_run(refused, damaged_run, what, reason):
    assert reason in refused("recommend", damaged_run(what), "--out", "recs.csv")


# ---------------------------------------------------------------------- reranked


@pytest.mark.parametrize(
    ("text", "reranker"),
    [
        ("mmr:0.3", MaximalMarginalRelevance(0.3)),
        ("calibration:0.9", Calibration(0.9)),
        ("tail:0.4", MinimumExposure({"tail": 0.4})),
    ],
)
def test_lists_are_reranked_as_in_the_library(aerec, ease_run, run, text, reranker):
    user = run.data.users[3]
    found = told(aerec("recommend", ease_run, "--user", user, "-k", "5", "--rerank", text, "--json"))
    expected = reranker.rerank(run.model.recommend(run.data.select_users([user]), k=60), run.data, 5)
    pd.testing.assert_frame_equal(found.drop(columns="title"), expected, check_dtype=False, rtol=1e-6)


@pytest.mark.parametrize("text", ["mmr", "calibration", "tail"])
def test_somebody_new_gets_a_reranked_list_too(aerec, ease_run, run, text):
    history = ",".join(map(str, run.data.items[:3]))
    found = told(aerec("recommend", ease_run, "--history", history, "-k", "4", "--rerank", text, "--json"))
    assert list(found["rank"]) == [1, 2, 3, 4]
    assert not set(found["item"]) & set(run.data.items[:3])


def test_an_unknown_reranker_is_refused(refused, ease_run, run):
    assert "unknown reranker 'mrr'" in refused("recommend", ease_run, "--user", run.data.users[0], "--rerank", "mrr:1")


def test_everybody_gets_reranked_lists_and_another_reranker_makes_them_anew(aerec, ease_run, run, tmp_path):
    out = tmp_path / "parts"
    first = json.loads(
        aerec("recommend", ease_run, "--all", "--out", out, "-k", "5", "--rerank", "mmr:0.3", "--json").out
    )
    expected = MaximalMarginalRelevance(0.3).rerank(run.model.recommend(run.data, k=100), run.data, 5)
    found = pd.concat([pd.read_parquet(part) for part in sorted(out.glob("part-*.parquet"))], ignore_index=True)
    pd.testing.assert_frame_equal(found.drop(columns="title"), expected, check_dtype=False)
    again, other = (
        json.loads(aerec("recommend", ease_run, "--all", "--out", out, "-k", "5", "--rerank", text, "--json").out)
        for text in ("mmr:0.3", "tail")
    )
    assert [one["written"] for one in (first, again, other)] == [1, 0, 1]


def test_units_are_steered(aerec, code_run, tmp_path):
    run = read_run(code_run)
    model, user = run.model, run.data.users[0]
    unit = int(model.activity_.argmax())
    words = ["recommend", code_run, "--user", str(user), "-k", "4"]
    for texts, weights in ([[f"{unit}:2.5"], {unit: 2.5}], [["1:-1,2:0.5", "3:1"], {1: -1, 2: 0.5, 3: 1}]):
        found = json.loads(aerec(*words, "--json", *(word for text in texts for word in ("--steer", text))).out)
        expected = model.recommend(run.data, k=4, users=[user], steer=weights)
        assert [one["item"] for one in found] == expected["item"].tolist()
        assert [one["score"] for one in found] == pytest.approx(expected["score"].tolist())
    assert aerec(*words, "--steer", f"{unit}:2.5", "--explain").code == 0


def test_everybody_is_steered_and_another_steering_is_made_anew(aerec, code_run, tmp_path):
    pytest.importorskip("pyarrow")
    run = read_run(code_run)
    for weight in (1.0, 9.0):
        words = ["--all", "--out", "all", "-k", "3", "--steer", f"0:{weight}"]
        assert "1 of 1 parts written" in aerec("recommend", code_run, *words).out
        written = pd.read_parquet(tmp_path / "all")
        assert written["item"].tolist() == run.model.recommend(run.data, k=3, steer={0: weight})["item"].tolist()


@pytest.mark.parametrize(
    ("text", "reason"),
    [("much", "write unit:weight"), ("40:1", "a unit is a whole number from 0 to 39"), ("1:1,1:2", "named twice")],
)
def test_what_cannot_be_steered(refused, code_run, text, reason):
    assert reason in refused("recommend", code_run, "--user", "1", "--steer", text)


def test_a_model_without_units_is_not_steered(refused, ease_run):
    assert "--steer: EASE has no units to steer" in refused("recommend", ease_run, "--user", "1", "--steer", "1:1")


@pytest.fixture
def new_films(films, tmp_path):
    """A file of two films that nobody has rated."""
    genre = films.item_genres.iloc[0][0]
    (tmp_path / "new.csv").write_text(f"movieId,title,genres\n901,Neu,{genre}\n902,Größe,Drama|{genre}\n", "utf-8")
    return genre


def test_new_items_are_recommended(aerec, ease_run, run, films, new_films):
    words = ["recommend", ease_run, "--new-items", "new.csv", "--user", "1"]
    shown = told(aerec(*words, "-k", "2", "--allow", "901,902", "--json"))
    wider = FeatureFile("new.csv").add_to(run)
    expected = wider.model.recommend(run.data, k=2, users=[1], allow_items=[901, 902])
    assert shown["item"].tolist() == expected["item"].tolist()
    assert shown["score"].tolist() == pytest.approx(expected["score"].tolist())
    assert set(shown["title"]) == {"Neu", "Größe"}
    everything = told(aerec(*words, "-k", "100", "--json"))
    assert {901, 902} < set(everything["item"])
    alike = told(aerec(*words[:4], "--history", "901", "-k", "5", "--json"))
    assert any(new_films in films.item_genres[item] for item in alike["item"] if item in films.items)


def test_new_items_for_everybody(aerec, ease_run, new_films, tmp_path):
    pytest.importorskip("pyarrow")
    words = ["recommend", ease_run, "--new-items", "new.csv", "--all", "--out", "all", "-k", "100"]
    assert "1 of 1 parts written" in aerec(*words).out
    assert "0 of 1 parts written" in aerec(*words).out
    assert {901, 902} < set(pd.read_parquet(tmp_path / "all")["item"])
    (tmp_path / "new.csv").write_text("movieId,genres\n903,Drama\n")
    assert "1 of 1 parts written" in aerec(*words).out
    assert 903 in set(pd.read_parquet(tmp_path / "all")["item"])


def test_new_items_that_cannot_be_read(refused, ease_run, tmp_path):
    assert "nowhere.csv is no file" in refused("recommend", ease_run, "--user", "1", "--new-items", "nowhere.csv")
    assert "are said of --new-items FILE" in refused("recommend", ease_run, "--user", "1", "--text", "about")


def test_a_user_who_was_left_out_is_said_to_be(aerec, refused, tmp_path):
    rows = [f"{user},{item},5" for user in range(1, 9) for item in range(1, 7)] + ["77,1,5", "77,2,5"]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,rating", *rows]))
    assert aerec("train", "ratings.csv", "--model", "popularity", "--split", "none", "--out", "run").code == 0
    line = refused("recommend", "run", "--user", "77")
    assert "unknown user 77: not among the 8 users of this run, such as 1, 2; 1 of 9 users were left out" in line
    assert "for fewer than 5 ratings: it may be one of them. --history ITEM,ITEM recommends to anybody" in line


def test_files_for_all_say_who_was_left_out(aerec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [(user, item) for user in range(1, 9) for item in range(user % 3, 12, 2)] + [(99, 1)]
    text = "user,item\n" + "".join(f"{user},{item}\n" for user, item in rows)
    (tmp_path / "mine.csv").write_text(text)
    words = ("--model", "popularity", "--split", "none", "--min-per-user", "2", "--out", "run")
    assert aerec("train", "mine.csv", *words).code == 0
    lost = "; 1 of 9 users were left out of the training, for fewer than 2 "
    assert lost in aerec("recommend", "run", "--out", "all.csv").out
    assert lost in aerec("recommend", "run", "--all", "--out", "parts").out
    assert "left out" not in aerec("recommend", "run", "--user", "1", "--out", "one.csv").out


def test_a_list_of_items_that_is_not_utf8_is_told_so(refused, ease_run, tmp_path):
    (tmp_path / "ids.txt").write_bytes(b"1\n\xe9\n")
    assert "ids.txt is not UTF-8 text; save" in refused("recommend", ease_run, "--history", f"@{tmp_path / 'ids.txt'}")
