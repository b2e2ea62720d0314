"""Every layout of a public data set, from tiny files and from the real ones where they are."""

import gzip
import os
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import fl
from fl.data import ClientData, images, partition, shakespeare
from fl.data.catalogue import NAMES
from tests.helpers.layouts import (
    LABELS,
    PIXELS,
    idx,
    write_cifar,
    write_hdf5,
    write_idx,
    write_leaf,
    write_mnist,
    write_npz,
    writer,
)


def check_images(loaded):
    (x, y), (x_test, y_test) = loaded
    np.testing.assert_array_equal(x, PIXELS.astype(np.float32) / np.float32(255), strict=True)
    np.testing.assert_array_equal(y, LABELS.astype(np.int64), strict=True)
    assert (x_test.shape, y_test.tolist()) == ((1, 28, 28), [7])


def test_mnist_as_keras_has_it(tmp_path):
    write_mnist(tmp_path)
    check_images(fl.data.load("mnist", tmp_path))


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "kmnist"])
def test_mnists_own_format_packed_and_unpacked(tmp_path, name, packed):
    write_idx(tmp_path / name, packed)
    check_images(fl.data.load(name, tmp_path))


def test_kmnist_in_its_official_npz_files(tmp_path):
    for part, count in (("train", 3), ("test", 1)):
        write_npz(tmp_path / "kmnist" / f"kmnist-{part}-imgs.npz", arr_0=PIXELS[:count])
        write_npz(tmp_path / "kmnist" / f"kmnist-{part}-labels.npz", arr_0=LABELS[:count])
    check_images(fl.data.load("kmnist", tmp_path))


def check_colours(loaded):
    (x, y), (x_test, _) = loaded
    assert (x.shape, x_test.shape) == ((10, 32, 32, 3), (2, 32, 32, 3))
    np.testing.assert_allclose(x[3, 5, 7], np.array([10, 20, 30]) / 255, rtol=1e-6)
    assert y.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]


def test_cifar10_unpacked_and_from_its_archive(tmp_path):
    write_cifar(tmp_path / "cifar-10-batches-py")
    check_colours(fl.data.load("cifar10", tmp_path))
    packed = tmp_path / "packed"
    packed.mkdir()
    with tarfile.open(packed / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "cifar-10-batches-py", "cifar-10-batches-py")
    check_colours(fl.data.load("cifar10", packed))
    assert (packed / "cifar-10-batches-py" / "test_batch").is_file()


def test_a_pickle_that_calls_something_is_not_loaded(tmp_path):
    class Calls:
        def __reduce__(self):
            return (os.system, ("exit 1",))

    write_cifar(tmp_path / "cifar-10-batches-py", {b"filenames": Calls()})
    with pytest.raises(fl.errors.DataError, match=r"a pickle that calls \w+\.system"):
        fl.data.load("cifar10", tmp_path)


def test_federated_emnist_by_its_writers(tmp_path):
    for part, count in (("train", 4), ("test", 2)):
        writers = {"f0001_41": writer(count), "f0000_14": writer(1, start=9)}
        write_hdf5(tmp_path / f"fed_emnist_digitsonly_{part}.h5", writers)
    train, test = fl.data.emnist.load_data(cache_dir=tmp_path)
    assert train.client_ids == test.client_ids == ["f0000_14", "f0001_41"]
    x, y = train.arrays("f0001_41")
    assert (x.shape, x.dtype, y.tolist(), y.dtype) == ((4, 28, 28), np.float32, [0, 1, 2, 3], "i8")
    element = next(iter(train.create_tf_dataset_for_client("f0000_14")))
    assert list(element) == ["label", "pixels"]
    assert element["label"] == 9
    assert fl.data.load("emnist", tmp_path)[1].arrays("f0001_41")[1].tolist() == [0, 1]


def test_shakespeare_is_a_sequence_of_numbers_and_the_same_one_character_later(tmp_path):
    text = b"dd\xffh" + b"x" * 80
    for part in ("train", "test"):
        write_hdf5(
            tmp_path / f"shakespeare_{part}.h5", {"ROLE": {"snippets": np.array([b"to", text])}}
        )
    train, _ = fl.data.shakespeare.load_data(tmp_path)
    x, y, weights = train.arrays("ROLE")
    assert x.shape == y.shape == weights.shape == (3, 80)
    t, o = (shakespeare.VOCABULARY.index(c) + 1 for c in "to")
    assert x[0, :4].tolist() == [shakespeare.BEGIN, t, o, shakespeare.END]
    assert y[0, :4].tolist() == [t, o, shakespeare.END, shakespeare.PADDING]
    assert weights[0].sum() == 3
    assert x[1, :5].tolist() == [shakespeare.BEGIN, 1, 1, shakespeare.UNKNOWN, 2]
    assert weights.sum() == 3 + 80 + (len(text) + 2 - 81 - 1)
    snippets = [e["snippets"].numpy() for e in train.create_tf_dataset_for_client("ROLE")]
    assert snippets == [b"to", text]


def test_the_vocabulary_has_each_character_once():
    assert len(set(shakespeare.VOCABULARY)) == len(shakespeare.VOCABULARY) == 86


def test_femnist_in_leafs_json(tmp_path):
    write_leaf(tmp_path / "femnist" / "train", {"f3": 2, "f1": 1})
    write_leaf(tmp_path / "femnist" / "test", {"f1": 1})
    train, test = fl.data.load("femnist", tmp_path)
    assert (train.client_ids, test.client_ids) == (["f1", "f3"], ["f1"])
    x, y = train.arrays("f3")
    assert (x.shape, x.dtype, y.tolist()) == ((2, 28, 28), np.float32, [5, 5])


def test_the_writers_of_mnist_in_either_file(tmp_path):
    labels = np.zeros((3, 8), ">i4")
    labels[:, 2] = [40, 41, 40]
    (tmp_path / "qmnist-train-labels-idx2-int.gz").write_bytes(gzip.compress(idx(labels, 12)))
    assert images.writers(tmp_path).tolist() == [40, 41, 40]
    write_npz(tmp_path / "mnist_writer_ids.npz", writer_train=np.array([1, 2, 1], np.int32))
    assert images.writers(tmp_path).tolist() == [1, 2, 1]


def test_a_name_of_tensorflow_datasets(monkeypatch):
    def load(name, split, batch_size, as_supervised, data_dir, download):
        if name != "tiny":
            raise ValueError(f"Dataset {name} not found")
        return [(tf.constant(PIXELS), tf.constant(LABELS)), (PIXELS[:1], LABELS[:1])]

    monkeypatch.setitem(sys.modules, "tensorflow_datasets", SimpleNamespace(load=load))
    check_images(fl.data.load("tiny"))
    with pytest.raises(
        fl.errors.DataError, match="cannot load 'nowhere': Dataset nowhere not found"
    ):
        fl.data.load("nowhere")


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"digits"}))
def test_a_missing_file_says_which_and_where_it_is_published(tmp_path, name):
    with pytest.raises(
        fl.errors.DataError, match=r"there is no \S+ .*: .*(http|github\.com)\S+"
    ) as caught:
        fl.data.load(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    if name != "femnist":
        assert "checksum " in str(caught.value)


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def test_a_damaged_file_says_both_checksums_and_where_to_get_it(tmp_path):
    write_mnist(tmp_path)
    damage(tmp_path / "mnist.npz")
    with pytest.raises(
        fl.errors.DataError, match=r"mnist\.npz is damaged or something else"
    ) as caught:
        fl.data.load("mnist", tmp_path)
    seen = fl.data.files.checksum(tmp_path / "mnist.npz", None)
    for part in (seen, "731c5ac602752760", "tf-keras-datasets/mnist.npz"):
        assert part in str(caught.value)


BROKEN = {
    "cut short": ("kmnist/train-images-idx3-ubyte.gz", b"\x1f\x8b\x08", "kmnist"),
    "not HDF5": ("shakespeare_train.h5", b"Lear", "shakespeare"),
    "not an archive": ("fed_emnist_digitsonly.tar.bz2", b"BZh9", "emnist"),
    "not JSON": ("femnist/train/a.json", b"{", "femnist"),
    "a list": ("femnist/train/a.json", b"[]", "femnist"),
}


@pytest.mark.parametrize(("file", "content", "name"), BROKEN.values(), ids=BROKEN)
def test_files_that_are_something_else(tmp_path, file, content, name):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(fl.errors.DataError, match="is damaged or something else"):
        fl.data.load(name, tmp_path)


def test_clients_without_the_features_are_another_layout(tmp_path):
    for part in ("train", "test"):
        write_hdf5(tmp_path / f"fed_emnist_digitsonly_{part}.h5", {"a": {"snippets": [b"x"]}})
    with pytest.raises(fl.errors.DataError, match="client 'a' has no label, pixels"):
        fl.data.load("emnist", tmp_path)


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(
        fl.errors.DataError, match="unknown data set 'mnits', expected one of digits, mnist, "
    ):
        fl.data.load("mnits")


REAL = os.environ.get("FL_DATA_DIR")
real = pytest.mark.skipif(not REAL, reason="FL_DATA_DIR names no directory with the real files")


@real
def test_real_mnist_by_its_539_writers():
    (x, y), (x_test, _) = fl.data.load("mnist", REAL)
    assert (x.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert np.bincount(y).tolist()[:3] == [5923, 6742, 5958]
    parts = partition.by_owner(images.writers(REAL))
    assert (len(parts), min(map(len, parts)), max(map(len, parts))) == (539, 19, 131)
    clients = ClientData.from_partition((x, y), parts)
    assert sum(len(clients.arrays(client)[1]) for client in clients.client_ids) == 60000


@real
def test_real_shakespeare():
    train, test = fl.data.shakespeare.load_data(Path(REAL))
    counts = [sum(len(d.features(c)["snippets"]) for c in d.client_ids) for d in (train, test)]
    assert (len(train), counts) == (715, [16068, 2356])
    x, y, weights = test.pooled()
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    assert not (y == shakespeare.UNKNOWN).any()
    assert weights.shape == (5490, 80)
