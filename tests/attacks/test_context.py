"""Model inconsistency (Pasquini et al. 2022): not everybody is given the same work.

`context` is what each client computed over the bytes that it received.  Two contexts are two params
digests: no signature of the one is one of the other, and as the second line no key either.
"""

from typing import Any

import pytest

import secagg
from secagg import roster as roster_module
from secagg.errors import RemoteProtocolError, TooFewClients
from secagg.messages import Roster
from tests.helpers.dishonest import Coalition
from tests.helpers.held import public_key
from tests.helpers.party import SERVER_KEY, SPECS, Party
from tests.helpers.steady import Stream

VICTIM = 30


def misled(party: Coalition, clients: tuple[int, ...], context: bytes) -> Coalition:
    """The session in which the server gave these honest clients another model."""
    for u in clients:
        party.clients[u] = party.client(u, context=context)
        party.hello[u] = party.clients[u].start()
    return party


def test_one_victim_with_another_model_is_a_dropout() -> None:
    """An honest server (whose model store is not) refuses it; the others are summed without it."""
    party = Party(5)
    result = secagg.run(
        party.params,
        party.inputs,
        signing_keys=party.keys,
        contexts={VICTIM: b"another model"},
        private_key=SERVER_KEY,
    )
    assert VICTIM not in result.survivors
    assert result.sum.tolist() == party.expected(result.survivors)


def test_everybody_but_one_victim_a_zero_learning_rate() -> None:
    """The others' updates are known to be zero: the sum would be the victim's own."""
    party = Party(5)
    zero = dict.fromkeys([u for u in party.ids if u != VICTIM], b"learning rate 0")
    with pytest.raises(TooFewClients, match="1 clients advertised keys, expected at least 4"):
        secagg.run(
            party.params,
            party.inputs,
            signing_keys=party.keys,
            contexts=zero,
            private_key=SERVER_KEY,
        )


@pytest.mark.parametrize("misled_ones", [(VICTIM,), (10, 20, 40, 50), (10, 20)])
def test_clients_with_different_models_abort_before_anything_is_shared(
    misled_ones: tuple[int, ...],
) -> None:
    party = misled(Coalition(7, bad=2), misled_ones, b"another model")
    roster = party.roster()
    for u in party.honest:
        assert not party.show_roster(u, roster)
        assert party.clients[u].state == "Aborted"
    assert party.seen == {}


def test_the_second_line_no_key_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even were no advertisement's signature checked: shares do not open, masks do not cancel."""
    monkeypatch.setattr(roster_module, "check_advertisement", lambda *_: None)
    party = misled(Coalition(7, bad=2), (VICTIM,), b"another model")
    roster = party.roster()
    for u in party.honest:
        assert party.show_roster(u, roster)
    for u in party.honest:
        party.show_senders(u, set(party.ids) - {u})
        expected = {10, 20, 40, 50} if u == VICTIM else {VICTIM}
        assert set(party.seen[u].unopened) - set(party.corrupt) == expected - {u}
        party.show_U3(u, party.ids)
    for u in party.honest:
        party.show_signatures(u)
    assert party.clients[VICTIM].state == "Aborted"
    assert party.learned() == []


def other_vector(bits: int) -> tuple[secagg.VectorSpec, ...]:
    return (secagg.VectorSpec("x", SPECS[0].length, bits),)


OTHER_PARAMS: dict[str, dict[str, Any]] = {
    "n": {"n": 6, "t": 5, "corrupt": 2, "min_survivors": 5, "min_roster": 5},
    "t": {"t": 5, "corrupt": 2, "min_survivors": 5, "min_roster": 5},
    "corrupt": {"corrupt": 1},
    "min_roster": {"min_roster": 5},
    "min_survivors": {"min_survivors": 5, "min_roster": 5},
    "graph": {"n": 7, "graph": secagg.Harary(4), "t": 4, "corrupt": 0, "min_roster": 5},
    "bits": {"vectors": other_vector(15)},
    "name": {"vectors": (secagg.VectorSpec("y", SPECS[0].length, 16),)},
    "session": {"session": b"another session "},
    "server_key": {"server_key": public_key(bytes(32))},
    "context": {"context": b"another"},
}


def believer(party: Party, u: int, changes: dict[str, Any]) -> secagg.Client:
    """u, as the host that was told these parameters would have made it."""
    old = party.params
    kept = {
        name: getattr(old, name)
        for name in ("n", "vectors", "t", "corrupt", "min_roster", "min_survivors", "graph")
    } | {"session": old.session, "server_key": old.server_key, "context": old.context}
    kept |= changes
    n, vectors = kept.pop("n"), kept.pop("vectors")
    vector = {spec.name: party.inputs[u].astype(spec.dtype) for spec in vectors}
    return secagg.Client(
        u,
        secagg.Params(n, vectors, **kept),
        vector,
        signing_key=party.keys[u],
        directory=party.directory,
        rand=Stream("believer", u),
    )


@pytest.mark.parametrize("changes", OTHER_PARAMS.values(), ids=OTHER_PARAMS)
def test_parameters_that_are_not_everybodys(changes: dict[str, Any]) -> None:
    """No message carries a parameter; a host that was told another one is a session of its own."""
    party = Party(5)
    party.collect(but=[VICTIM])
    hello = believer(party, VICTIM, changes).start()
    with pytest.raises(RemoteProtocolError, match="client 30: the signature of round 0"):
        party.server.receive(VICTIM, hello)
    entries = sorted([hello, *party.replies.values()], key=lambda entry: entry.u)
    with pytest.raises(RemoteProtocolError, match="client 30: the signature of round 0"):
        party.clients[10].receive(Roster.of(tuple(entries)))
