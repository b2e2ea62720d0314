"""Another stream cipher is another PRG; a session has one suite, and its parties agree on it."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import secagg
from secagg import LocalProtocolError, Params, RemoteProtocolError, VectorSpec
from secagg.masks import AesCtr, add_pairwise_masks, expand, jobs
from secagg.masks.prg import Adder, RingVector
from secagg.masks.suites import prg_of
from secagg.messages import Roster
from tests.helpers import aegis
from tests.helpers.executors import Elsewhere
from tests.helpers.hosts import Host
from tests.helpers.party import Party

X = [VectorSpec("x", 3, 8)]
DIRECTORY = bytes(32)


@pytest.fixture
def cipher() -> Iterator[None]:
    """The suite aegis128x2 without its package."""
    with aegis.stand_in():
        yield


class Shake:
    """A PRG of somebody else's: SHAKE-128 of the seed and the vector's index."""

    def adder(self, vectors: Sequence[RingVector]) -> Adder:
        def add(seed: bytes, direction: int) -> None:
            for index, vector in enumerate(vectors):
                stream = hashlib.shake_128(seed + bytes([index])).digest(vector.nbytes)
                vector += np.frombuffer(stream, vector.dtype) * vector.dtype.type(direction % 256)

        return add


# The PRG


def test_masks_of_any_prg_cancel() -> None:
    seed, x3, x8 = bytes(24), np.array([1, 2], "<u1"), np.array([10, 20], "<u1")
    add_pairwise_masks([x3], 3, {8: seed}, Shake())
    add_pairwise_masks([x8], 8, {3: seed}, Shake())
    assert (x3 + x8).tolist() == [11, 22]
    assert x8.tolist() == (np.array([10, 20]) + expand(seed, 2, "<u1", prg=Shake())).tolist()


def test_a_prg_is_given_what_was_checked() -> None:
    with pytest.raises(LocalProtocolError, match="a seed has 23 bytes, expected 24"):
        expand(bytes(23), 2, "<u1", prg=Shake())


def test_the_default_is_aes_ctr() -> None:
    assert Params(3, X).suite == "aes128-ctr"
    assert isinstance(prg_of("aes128-ctr"), AesCtr)
    assert expand(bytes(24), 9, "<u4").tolist() == expand(
        bytes(24), 9, "<u4", prg=prg_of("aes128-ctr")
    ).tolist()  # fmt: skip


# The agreement


@pytest.mark.usefixtures("cipher")
def test_the_params_digest_tells_suites_apart() -> None:
    one, other = (Params(3, X, session=bytes(16), suite=s) for s in ("aes128-ctr", "aegis128x2"))
    assert one.digest(DIRECTORY) != other.digest(DIRECTORY)
    assert one != other


@pytest.mark.usefixtures("cipher")
def test_choose_takes_a_suite() -> None:
    chosen = Params.choose(10, X, corrupt=1, dropout=0.2, suite="aegis128x2")
    assert chosen.suite == "aegis128x2"


@pytest.mark.parametrize("suite", ["aegis", "AES128-CTR", b"aes128-ctr", None, ["aes128-ctr"]])
def test_an_unknown_suite_is_refused(suite: Any) -> None:
    with pytest.raises(LocalProtocolError, match="expected one of aes128-ctr, aegis128x2"):
        Params(3, X, suite=suite)


def test_a_suite_whose_package_is_missing_is_refused_before_a_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyaegis", None)
    with pytest.raises(LocalProtocolError, match=r"pip install 'secagg\[aegis\]'"):
        Params(3, X, suite="aegis128x2")
    assert Params(3, X).suite == "aes128-ctr"


# Sessions


@pytest.mark.usefixtures("cipher")
def test_a_session_of_the_suite_uses_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(AesCtr, "adder")
    party = Party(5, suite="aegis128x2").after(4, absent={20: 2})
    assert party.server.result.survivors == (10, 30, 40, 50)
    assert party.server.result.sum.tolist() == party.expected((10, 30, 40, 50))


@pytest.mark.usefixtures("cipher")
def test_jobs_use_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEAST_MASKS", 3)
    monkeypatch.delattr(AesCtr, "adder")
    elsewhere = Elsewhere()
    party = Party(5, suite="aegis128x2", executor=elsewhere).after(4, absent={20: 2})
    assert party.server.result.sum.tolist() == party.expected((10, 30, 40, 50))
    assert len(elsewhere.jobs) == 2


def test_a_session_with_the_package() -> None:
    pytest.importorskip("pyaegis")
    inputs = {u: np.arange(u, u + 70_000, dtype=np.uint32) for u in range(5)}
    agreed = Params(5, [VectorSpec("x", 70_000, 32)], suite="aegis128x2")
    result = secagg.run(agreed, inputs, drop={3: 2})
    expected = sum(x.astype(np.uint64) for u, x in inputs.items() if u != 3)
    assert result.sum.tolist() == expected.tolist()


@pytest.mark.usefixtures("cipher")
def test_a_client_is_not_restored_into_another_suite() -> None:
    """One input under two masks would be their difference."""
    host = Host(Party(5), 20)
    host.reply(None)
    blob, generation = host.disk[host.generation], host.generation
    with pytest.raises(LocalProtocolError, match="session"):
        host.restored_from(blob, generation, suite="aegis128x2")
    assert host.restored_from(blob, generation, suite="aes128-ctr").state == "Advertised"


@pytest.mark.usefixtures("cipher")
def test_the_server_refuses_a_client_of_another_suite() -> None:
    party = Party(5)
    other = party.client(20, suite="aegis128x2").start()
    with pytest.raises(RemoteProtocolError, match="the signature of round 0 is not valid"):
        party.server.receive(20, other)


@pytest.mark.usefixtures("cipher")
def test_clients_of_different_suites_share_no_session() -> None:
    """A server that relays both their advertisements is refused by either."""
    party = Party(5)
    party.clients[20] = party.client(20, suite="aegis128x2")
    roster = Roster.of(tuple(party.clients[u].start() for u in party.ids))
    for u in (10, 20):
        with pytest.raises(RemoteProtocolError, match="the signature of round 0 is not valid"):
            party.clients[u].receive(roster)
        assert party.clients[u].state == "Aborted"
