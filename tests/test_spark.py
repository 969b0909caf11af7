"""Scoring in Spark: the union of what workers give is what one process gives, whoever has which rating."""

import itertools
import os
import pickle
import shutil
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aerec.spark
from aerec import Interactions
from aerec.baselines import Popularity
from aerec.datasets import generate_interactions, import_ratings
from aerec.errors import DataError, MissingExtraError
from aerec.models import EASE, RecencyWeighted
from aerec.recommender.new_history import RatingScale
from aerec.runs import SplitPlan, write_run

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")

SCALE = RatingScale(1.0, 1.0, threshold=4.0)


@pytest.fixture(scope="module")
def films():
    return generate_interactions(120, 60, 1500, seed=3)


@pytest.fixture(scope="module")
def model(films):
    return EASE(l2=20).fit(films.binarize(4.0))


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("spark") / "model"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def spark():
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install 'aerec[spark]'")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, which is not on the path")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # a short life
        "spark.sql.shuffle.partitions": "3",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "97",
        "spark.sql.session.timeZone": "UTC",
    }
    builder = SparkSession.builder.master("local[2]").appName("aerec")
    for name, value in settings.items():
        builder = builder.config(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def by_user(frame):
    return frame.sort_values(["user", "rank"], ignore_index=True)


def expected_of(model, ratings, k):
    """What one process says of ratings with one row a pair."""
    histories = {user: dict(zip(rows["item"], rows["rating"], strict=True)) for user, rows in ratings.groupby("user")}
    return by_user(model.recommend(histories, k))


def check_equal(found, expected, **tolerance):
    pd.testing.assert_frame_equal(by_user(found), expected, check_dtype=False, **(tolerance or {"check_exact": True}))


# ---------------------------------------------------------------------- in Spark


def test_the_union_of_all_workers_is_what_one_process_gives(spark, films, model, saved):
    ratings = films.to_frame()
    found = aerec.spark.recommend(spark.createDataFrame(ratings.sample(frac=1, random_state=0)), saved, 7)
    assert dict(found.dtypes) == {"user": "bigint", "item": "bigint", "rank": "int", "score": "float"}
    check_equal(found.toPandas(), expected_of(model, ratings, 7))


def test_a_run_of_text_ids_with_times_and_repeated_pairs(spark, films, tmp_path):
    ratings = films.to_frame()
    ratings = ratings.assign(user="u" + ratings["user"].astype(str), item="i" + ratings["item"].astype(str))
    likes = Interactions.from_frame(ratings).binarize(4.0)
    model = RecencyWeighted(EASE(l2=20), half_life=2.0).fit(likes)
    description = {"model": {"name": "recency-weighted"}, "data": {"threshold": 4.0}}
    write_run(tmp_path / "run", model, {"all": likes}, SplitPlan("none"), description)
    earlier = ratings.assign(rating=1.0, timestamp=ratings["timestamp"] - 10**6)  # what is later counts
    stranger = pd.DataFrame({"user": ["u1"], "item": ["?"], "rating": [5.0], "timestamp": [1]})
    table = pd.concat([ratings, earlier, stranger]).rename(columns={"user": "userId", "item": "movie.id"})
    found = aerec.spark.recommend(spark.createDataFrame(table), tmp_path / "run", item="movie.id").toPandas()
    low = {user: rows["item"].tolist() for user, rows in ratings[ratings["rating"] < 4].groupby("user")}
    expected = [model.recommend(likes, 10, users=[user], block_items=low.get(user, [])) for user in likes.users]
    assert dict(found.dtypes)["user"] == dict(found.dtypes)["item"]
    alone = by_user(pd.concat(expected, ignore_index=True))  # a user alone is summed in another order
    check_equal(found, alone, rtol=1e-5)


def test_what_is_wrong_in_the_rows_is_said_by_the_job(spark, saved):
    frame = spark.createDataFrame([(1, 2, 5.0), (1, None, 3.0)], "user int, item int, rating double")
    with pytest.raises(Exception, match="1 of 2 rows have no item"):
        aerec.spark.recommend(frame, saved).collect()


@pytest.mark.parametrize(
    ("schema", "options", "message"),
    [
        ("item int, rating double", {}, "no column 'user'"),
        ("user double, item int", {}, "column 'user' of the frame is double; ids are whole numbers or text"),
        ("user int, item string", {}, "items of the frame are text, those of the model whole numbers, such as"),
        ("user int, item int, rating string", {}, "column 'rating' of the frame is string; ratings are numbers"),
        ("user int, item int, timestamp string", {}, "column 'timestamp' of the frame is string; expected numbers"),
        ("user int, item int", {"allow_items": [99999]}, "no item of allow_items is known"),
    ],
)
def test_what_is_wrong_with_the_columns_is_said_at_once(spark, saved, schema, options, message):
    with pytest.raises(DataError, match=message):
        aerec.spark.recommend(spark.createDataFrame([], schema), saved, **options)


def test_a_frame_of_pandas_and_a_folder_without_a_model_are_refused(spark, films, saved, tmp_path):
    with pytest.raises(TypeError, match=r"frame is a pandas DataFrame, not one of Spark"):
        aerec.spark.recommend(films.to_frame(), saved)
    with pytest.raises(FileNotFoundError, match="no run in"):
        aerec.spark.recommend(spark.createDataFrame([], "user int, item int"), tmp_path)


def test_a_run_that_is_sent_to_the_workers(spark, films, model, saved, tmp_path):
    here = shutil.copytree(saved, tmp_path / "here" / "sent-model")
    sent = shutil.copytree(saved, tmp_path / "there" / "sent-model")
    ratings = films.to_frame().query("user < 4")
    lists = aerec.spark.recommend(spark.createDataFrame(ratings), here, 3)
    spark.sparkContext.addFile(str(sent), recursive=True)
    shutil.rmtree(here)
    check_equal(lists.toPandas(), expected_of(model, ratings, 3))


def test_a_table_becomes_a_store_by_way_of_parquet(spark, films, tmp_path):
    ratings = films.to_frame()
    table = ratings.assign(part=ratings["user"] % 3, rating=ratings["rating"].astype("float32"))
    frame = spark.createDataFrame(table).selectExpr(
        "user", "item", "CAST(rating AS DECIMAL(3,1)) rating", "timestamp_seconds(timestamp) timestamp", "part"
    )
    frame.write.partitionBy("part").parquet(str(tmp_path / "table"))
    assert (tmp_path / "table" / "_SUCCESS").exists()
    store = import_ratings(tmp_path / "table", tmp_path / "store")
    pd.testing.assert_frame_equal(store.to_frame(), ratings, check_dtype=False)


# ---------------------------------------------------------------------- what a worker does


def task_of(path, **choices):
    given = {"k": 5, "exclude_seen": True, "barred": {"allow_items": None, "block_items": None}} | choices
    return aerec.spark._Task(str(path), aerec.spark._fingerprint(path), SCALE, **given)


def test_the_task_is_small_and_a_worker_loads_the_model_once(films, saved, monkeypatch):
    task = task_of(saved)
    assert len(pickle.dumps(task)) < 2000
    loaded = []
    monkeypatch.setattr(aerec.spark, "load_model", lambda path: loaded.append(path) or EASE().fit(films))
    aerec.spark._load.cache_clear()
    ratings = films.to_frame()[["user", "item", "rating"]]
    for _ in range(3):
        list(task([ratings]))
    assert len(loaded) == 1
    aerec.spark._load.cache_clear()


@given(cuts=st.lists(st.integers(0, 200), max_size=12), n_rows=st.integers(1, 60))
def test_no_user_is_divided_wherever_batches_end(cuts, n_rows):
    users = np.repeat(np.arange(40), np.arange(40) % 11)
    frame = pd.DataFrame({"user": users, "place": np.arange(len(users))})
    ends = [0, *sorted(min(cut, len(frame)) for cut in cuts), len(frame)]
    batches = [frame[start:end] for start, end in itertools.pairwise(ends)]
    parts = list(aerec.spark._whole_users(batches, n_rows))
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), frame)
    assert sum(part["user"].nunique() for part in parts) == frame["user"].nunique()


def test_items_that_the_model_does_not_know_are_counted_in_the_log(films, model, saved, caplog):
    ratings = pd.DataFrame({"user": [1, 1, 2], "item": [films.items[0], 10**6, 10**6], "rating": [5.0, 5.0, 5.0]})
    lists = pd.concat(task_of(saved)([ratings]))
    assert "2 of 3 ratings left out: of items that the model does not know" in caplog.text
    assert lists["user"].value_counts().to_dict() == {1: 5, 2: 5}


def test_ratings_off_the_scale_and_a_model_that_was_replaced_are_refused(films, saved, tmp_path):
    ratings = pd.DataFrame({"user": [1], "item": [films.items[0]], "rating": [np.inf]})
    with pytest.raises(DataError, match="the rating inf is not a finite number"):
        list(task_of(saved)([ratings]))
    other = tmp_path / "model"
    Popularity().fit(films).save(other)
    task = task_of(other)
    shutil.rmtree(other)
    EASE().fit(films).save(other)
    with pytest.raises(DataError, match="does not hold the model that the job was made for"):
        list(task([ratings]))


def test_without_pyspark_the_message_says_how_to_install_it(monkeypatch, saved):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql.functions", None)
    with pytest.raises(MissingExtraError, match=r"scoring in Spark needs the package pyspark.*'aerec\[spark\]'"):
        aerec.spark.recommend(None, saved)
