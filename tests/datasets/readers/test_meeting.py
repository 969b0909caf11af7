"""Parts of a split whose ids do not meet."""

import numpy as np
import pandas as pd
import pytest

from aerec.datasets import read_parts
from aerec.errors import DataError


def write(folder, name, users, items):
    pd.DataFrame({"user": users, "item": items, "rating": 5}).to_csv(folder / f"{name}.csv", index=False)


@pytest.fixture
def pairs():
    user, item = np.divmod(np.random.default_rng(0).permutation(600), 20)
    return user + 1, item + 1


def test_numbers_and_text_with_zeros_are_refused_with_examples_of_both(tmp_path, pairs):
    user, item = pairs
    write(tmp_path, "train", user[:300], item[:300])
    write(tmp_path, "test", [f"{one:04d}" for one in user[300:]], item[300:])
    with pytest.raises(
        DataError, match=r"test\.csv: none of 30 users occur in .*train\.csv: there they are such as '1',"
    ) as e:
        read_parts(tmp_path)
    assert "here such as '0001', '0002', '0003'; one file has numbers and the other text" in str(e.value)


def test_text_that_begins_with_numbers_only_meets(tmp_path, pairs, recwarn):
    user, item = pairs
    write(tmp_path, "train", [*user[:300], *("guest" + str(one) for one in range(20))], [*item[:300], *range(20)])
    write(tmp_path, "test", user[300:], item[300:])
    assert "guest1" in read_parts(tmp_path)["train"].users
    assert len(recwarn) == 0


def test_no_item_in_training_is_a_warning(tmp_path, pairs):
    user, item = pairs
    write(tmp_path, "train", user[:300], item[:300])
    write(tmp_path, "test", user[300:], item[300:] + 1000)
    with pytest.warns(UserWarning, match=r"none of 20 items occur in .*; what is not in training is not recommended"):
        read_parts(tmp_path)


def test_strangers_are_a_warning(tmp_path, pairs):
    user, item = pairs
    write(tmp_path, "train", user[:300], item[:300])
    write(tmp_path, "test", [*(user[300:] + 100), 1], [*item[300:], 20])
    with pytest.warns(UserWarning, match=r"1 of 31 users occur in .*train\.csv: there they are such as 2, 3, 4, here"):
        read_parts(tmp_path)


def test_a_small_part_that_meets_says_nothing(tmp_path, pairs, recwarn):
    user, item = pairs
    write(tmp_path, "train", user, item)
    write(tmp_path, "test", user[:1], item[:1])
    read_parts(tmp_path)
    assert len(recwarn) == 0
