"""Checkpoints: what is written comes back bit for bit, and damage is noticed."""

from dataclasses import replace
from typing import NamedTuple

import keras
import ml_dtypes
import numpy as np
import pytest

import fl
from fl.experiment.checkpoint import Checkpoints, write_atomically
from fl.process.server_optimizer import ServerState
from tests.helpers.small import compiled


class Pair(NamedTuple):
    first: object
    second: object


def state(round_number, value=0.1):
    weights = fl.ModelWeights(
        (np.full((2, 3), value, np.float32), np.zeros(0, np.float32)),
        (np.array([1.5, -2.5], ml_dtypes.bfloat16),),
    )
    return ServerState(weights, (np.array(7, np.int64),), round_number)


def assert_same(one, other):
    for a, b in zip(one.weights.arrays + one.optimizer, other.weights.arrays + other.optimizer):  # noqa: B905
        np.testing.assert_array_equal(a, b, strict=True)
    assert one.round == other.round


def test_a_state_comes_back_bit_for_bit(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(5, 1 / 3), 5)
    found = Checkpoints(tmp_path).latest(state(0))
    assert (found.round, found.damaged) == (5, ())
    assert_same(found.state, state(5, 1 / 3))
    assert isinstance(found.state, ServerState)
    with pytest.raises(ValueError, match="read-only"):
        found.state.weights.trainable[0][0, 0] = 1


def test_every_kind_of_value_comes_back(tmp_path):
    value = {
        "pair": Pair((1, 0.1, -0.0, None), [True, "Σ"]),
        "scalar": np.float32(0.1),
        "nothing": {},
        "inf": float("inf"),
    }
    Checkpoints(tmp_path).save(value, 1)
    back = Checkpoints(tmp_path).latest(value).state
    assert back == value
    assert isinstance(back["pair"], Pair)
    assert str(back["pair"].first[2]) == "-0.0"


def test_a_state_of_another_model_or_optimizer_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(5), 5)
    template = state(0)
    wide = fl.ModelWeights((np.zeros((3, 3), np.float32), *template.weights.trainable[1:]), ())
    for other, told in (
        (replace(template, weights=wide), r"an array of shape \(2, 3\), expected \(3, 3\)"),
        (replace(template, optimizer=(np.zeros(1),) * 3), "1 items in one place, expected 3"),
    ):
        with pytest.raises(fl.errors.CheckpointError, match=told):
            checkpoints.latest(other)
    grown = replace(template, optimizer=())  # it may have been empty at the start
    assert len(checkpoints.latest(grown).state.optimizer) == 1


def test_the_last_few_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for number in (1, 2, 3, 10):
        checkpoints.save(state(number), number)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "round-00000003.npz",
        "round-00000010.npz",
    ]
    assert checkpoints.latest(state(0)).state.round == 10


def test_where_there_is_none_there_is_none(tmp_path):
    assert Checkpoints(tmp_path / "nothing yet").latest(state(0)) is None


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.999])
@pytest.mark.parametrize("how", ["one bit", "cut off", "empty"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_it_used(tmp_path, place, how):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(1), 1)
    path = checkpoints.save(state(2), 2)
    content = bytearray(path.read_bytes())
    position = int(place * len(content))
    if how == "one bit":
        content[position] ^= 4
    path.write_bytes(b"" if how == "empty" else content[:position] if how == "cut off" else content)
    found = checkpoints.latest(state(0))
    # a flipped bit in zip's own bookkeeping may change nothing that is read
    assert (
        found.damaged in ((path.name,), ()) if how == "one bit" else found.damaged == (path.name,)
    )
    assert_same(found.state, state(1 if found.damaged else 2))


def test_values_swapped_between_two_whole_files_are_noticed(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(state(1), 1)
    with np.load(path) as file:
        content = dict(file.items())
    content["array_0"] = content["array_0"] + 1
    np.savez(path, **content)
    told = r"is damaged \(round-00000001\.npz\), expected a whole one.* remove the folder to begin"
    with pytest.raises(fl.errors.CheckpointError, match=told):
        checkpoints.latest(state(0))


def test_a_checkpoint_of_another_algorithm_is_refused(tmp_path):
    Checkpoints(tmp_path).save(state(1), 1)
    with pytest.raises(fl.errors.CheckpointError, match="expected one of this algorithm"):
        Checkpoints(tmp_path).latest(fl.ModelWeights((), ()))


def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path):
    with pytest.raises(fl.errors.CheckpointError, match="a state with a function"):
        Checkpoints(tmp_path).save({"f": state}, 1)
    with pytest.raises(fl.errors.CheckpointError, match="keep is 0"):
        Checkpoints(tmp_path, keep=0)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fails(file):
        file.write(b"new")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_atomically(path, fails)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_cleared(tmp_path):
    (tmp_path / ".part-abc").write_bytes(b"half")
    Checkpoints(tmp_path).save(state(1), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["round-00000001.npz"]


def test_a_resumed_process_goes_on_as_the_uninterrupted_one(tmp_path):
    def one_weight():
        zero = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((1,)), zero])
        return compiled(model, keras.optimizers.Adam(0.1))

    def build():
        return fl.build_weighted_fed_avg(
            one_weight,
            lambda: keras.optimizers.SGD(0.3),
            lambda: keras.optimizers.Adam(0.5),
            aggregator=fl.PlainSum(),
        )

    clients = [(np.ones((n, 1), np.float32), np.zeros((n, 1), np.int64)) for n in (3, 5)]
    process = build()
    whole = process.initialize()
    for _ in range(2):
        whole = process.next(whole, clients).state
    Checkpoints(tmp_path).save(whole, 2)
    fresh = build()
    resumed = Checkpoints(tmp_path).latest(fresh.initialize()).state
    assert_same(process.next(whole, clients).state, fresh.next(resumed, clients).state)
