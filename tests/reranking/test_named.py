"""Rerankers by name."""

import pytest

from aerec.datasets import load_dataset
from aerec.reranking import Calibration, MaximalMarginalRelevance, MinimumExposure, popularity_labels
from aerec.reranking.named import known_of_items, n_candidates, parse_reranker


@pytest.mark.parametrize(
    ("text", "reranker"),
    [
        ("mmr:0.3", MaximalMarginalRelevance(0.3)),
        ("mmr", MaximalMarginalRelevance()),
        ("calibration:1", Calibration(1.0)),
        ("calibration", Calibration()),
        (" tail:0.25 ", MinimumExposure({"tail": 0.25})),
        ("tail", MinimumExposure()),
    ],
)
def test_a_name_and_a_number(text, reranker):
    assert parse_reranker(text) == reranker


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mrr:0.3", "unknown reranker 'mrr'; .*mmr"),
        ("", "unknown reranker ''"),
        ("mmr:much", "'mmr:much': what follows the colon is a number from 0 to 1, as in mmr:0.7"),
        ("tail:1.5", "'tail:1.5': what follows the colon is a number from 0 to 1, as in tail:0.2"),
        ("mmr:0_1", "a number from 0 to 1, as in mmr:0.7"),
        ("mmr:１", "a number from 0 to 1, as in mmr:0.7"),
        ("calibration:nan", "a number from 0 to 1, as in calibration:0.5"),
    ],
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_reranker(text)


def test_items_are_known_by_genre_or_by_popularity():
    data = load_dataset("sample")
    assert known_of_items(MinimumExposure(), data).equals(popularity_labels(data))
    genres = known_of_items(Calibration(), data)
    assert genres.sum(axis=1).tolist() == data.item_genres.map(len).tolist()


def test_a_longer_list_is_chosen_from_more():
    assert (n_candidates(1), n_candidates(10), n_candidates(30)) == (100, 100, 300)
