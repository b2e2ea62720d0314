"""Clients and their examples, and the divisions beside IID and Dirichlet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fl
from fl.client.examples import read_examples
from fl.data import ClientData, partition


@pytest.fixture
def five():
    """Five clients; client "c" of them has c+1 examples with x = y = c."""
    ids = ["a", "b", "c", "d", "e"]
    sizes = {name: number + 1 for number, name in enumerate(ids)}

    def read(name):
        values = np.full(sizes[name], sizes[name] - 1)
        return {"x": values[:, None].astype(np.float32), "y": values}

    return ClientData(ids, read)


def test_a_client_as_arrays_as_a_data_set_and_in_batches(five):
    x, y = five.arrays("c")
    assert (x.tolist(), y.tolist()) == ([[2.0]] * 3, [2] * 3)
    assert [y.numpy() for _, y in five.create_dataset("c")] == [2, 2, 2]
    examples = read_examples(five.create_dataset("e", batch_size=2))
    assert (examples.count, examples.bounds.tolist()) == (5, [0, 2, 4, 5])


def test_the_names_of_tensorflow_federated(five):
    element = next(iter(five.create_tf_dataset_for_client("b")))
    assert {name: value.numpy().tolist() for name, value in element.items()} == {"x": [1.0], "y": 1}
    everything = [e["y"].numpy() for e in five.create_tf_dataset_from_all_clients(seed=3)]
    assert sorted(everything) == [0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4]
    assert [len(list(d)) for d in five.datasets(limit_count=2, seed=1)] == [
        len(list(d)) for d in five.datasets(seed=1)
    ][:2]
    train, test = ClientData.train_test_client_split(five, num_test_clients=2)
    assert (len(train), len(test)) == (3, 2)


def test_a_split_is_by_clients_and_follows_its_seed(five):
    train, test = five.train_test_split(2, seed=4)
    assert sorted(train.client_ids + test.client_ids) == five.client_ids
    assert test.client_ids == five.train_test_split(2, seed=4)[1].client_ids
    assert len({tuple(five.train_test_split(2, seed=s)[1].client_ids) for s in range(20)}) > 3
    for count in (0, 5):
        with pytest.raises(fl.errors.DataError, match=f"{count} test clients of 5"):
            five.train_test_split(count)


def test_a_selection_knows_only_its_clients(five):
    some = five.select(["d", "b"])
    assert some.pooled()[1].tolist() == [3, 3, 3, 3, 1, 1]
    for wrong in (lambda: some.arrays("a"), lambda: five.select(["a", "z"])):
        with pytest.raises(fl.errors.DataError, match=r"no client '[az]', expected one of"):
            wrong()


def test_no_clients_are_no_client_data():
    with pytest.raises(fl.errors.DataError, match="no clients"):
        ClientData([], dict)


def test_examples_go_to_the_clients_of_a_partition():
    x, y = np.arange(6)[:, None], np.arange(6) * 10
    clients = ClientData.from_partition((x, y), partition.sequential(6, 4))
    assert [clients.arrays(c)[1].tolist() for c in clients.client_ids] == [
        [0, 10], [20, 30], [40], [50],
    ]  # fmt: skip
    named = ClientData.from_partition((x, y), [np.array([5]), np.array([1, 2])], ["w7", "w3"])
    assert named.arrays("w3")[1].tolist() == [10, 20]


@settings(deadline=None)
@given(st.data())
def test_shards_deal_every_example_once_and_few_classes(data):
    per_client = data.draw(st.integers(1, 3))
    clients = data.draw(st.integers(1, 6))
    size = data.draw(st.integers(clients * per_client, 80))
    labels = np.array(data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size)))
    parts = partition.shards(labels, clients, per_client=per_client, seed=size)
    assert sorted(np.concatenate(parts)) == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= per_client


def test_two_shards_of_sorted_digits_are_at_most_three_classes():
    labels = np.arange(1000) % 10
    parts = partition.shards(labels, 50, per_client=2)
    assert max(np.unique(labels[part]).size for part in parts) == 2


def test_by_owner_gives_each_owner_its_own():
    assert [p.tolist() for p in partition.by_owner([7, 3, 7, 5])] == [[1], [3], [0, 2]]


IMPOSSIBLE = [
    lambda: partition.sequential(3, 4),
    lambda: partition.shards(np.zeros(5), 3, per_client=2),
    lambda: partition.shards(np.zeros(5), 2, per_client=0),
    lambda: partition.by_owner([]),
]


@pytest.mark.parametrize("divide", IMPOSSIBLE)
def test_divisions_that_cannot_be_are_refused(divide):
    with pytest.raises(fl.errors.DataError):
        divide()
