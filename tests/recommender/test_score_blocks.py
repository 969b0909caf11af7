"""Blocks of users cover everybody once, and are neither large in memory nor a few users only."""

import numpy as np
import pytest

from aerec.recommender.scorer import block_rows, score_blocks


@pytest.mark.parametrize(("n_items", "rows"), [(1, 4_194_304), (1_024, 4_096), (65_536, 64), (1_000_000, 64)])
def test_a_block_is_16_mib_and_of_at_least_64_users(n_items, rows):
    assert block_rows(n_items) == rows


def test_where_bytes_are_given_they_hold():
    assert block_rows(1_000, 40_000) == 10
    assert block_rows(1_000_000, 40_000) == 1


def test_blocks_cover_every_row_once():
    blocks = list(score_blocks(1_000, 100_000))
    np.testing.assert_array_equal(np.concatenate(blocks), np.arange(1_000))
    assert {len(rows) for rows in blocks[:-1]} == {64}
    assert list(score_blocks(0, 10)) == []
