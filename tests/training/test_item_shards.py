"""Items divided over processes; what they learn together is tested with the ranks in test_distributed."""

import pytest

from aerec.errors import DataError
from aerec.training.distributed import Ranks
from aerec.training.item_shards import ItemShards


@pytest.mark.parametrize(("n_items", "size"), [(10, 3), (4, 4), (1000, 7)])
def test_every_item_is_of_one_process(n_items, size):
    owned = [ItemShards(Ranks(rank, size), n_items).own for rank in range(size)]
    assert [number for own in owned for number in range(own.start, own.stop)] == list(range(n_items))
    sizes = [own.stop - own.start for own in owned]
    assert max(sizes) - min(sizes) <= 1


def test_fewer_items_than_processes_are_refused():
    with pytest.raises(DataError, match="2 items cannot be divided over 3 processes"):
        ItemShards(Ranks(0, 3), 2)
