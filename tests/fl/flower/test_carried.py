"""Bytes come out of Flower's records as they went in."""

import pytest

from fl.errors import FLError
from fl.flower.carried import pack, unpack

flwr_app = pytest.importorskip("flwr.app")


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 3 * 2**20 + 1])
def test_any_number_of_bytes(size):
    record = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert unpack(pack(record)) == record


def test_other_records_are_refused():
    config, array = flwr_app.ConfigRecord, flwr_app.ArrayRecord
    others = [{}, {"fl": config({"fl": 3})}, {"other": config({"fl": b""})}, {"fl": array()}]
    for records in others:
        with pytest.raises(FLError, match="expected bytes in 'fl'"):
            unpack(flwr_app.RecordDict(records))
