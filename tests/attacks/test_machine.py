"""Any interleaving of deliveries, losses, replays, tampering, lies, crashes and closed rounds.

Hypothesis drives one session.  Whatever it does: the sum, if there is one, is exactly that of the
survivors; only a SecAggError is ever raised; and of no client t shares of both secrets leave.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import secagg
from secagg import wire
from secagg.client.states import Checked
from secagg.errors import SecAggError
from secagg.messages import Survivors, Unmasking
from tests.helpers.hosts import KEY, Host, restored
from tests.helpers.steady import Steady, Stream

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=80,
    stateful_step_count=40,
    database=None,
    suppress_health_check=list(HealthCheck),
)
N, T = 5, 3
IDS = [10 * (i + 1) for i in range(N)]
who = st.sampled_from(IDS)
some = st.sets(who, max_size=2)
lots = st.integers(0, 2**20)
trouble = st.integers(0, 9)


class Session(RuleBasedStateMachine):
    """5 honest clients, t = min_survivors = 3; a network and a server that do as they like."""

    @initialize()
    def begin(self) -> None:
        self.party = Steady(N, t=T, corrupt=0)
        self.server = self.party.server
        self.hosts = {u: Host(self.party, u) for u in IDS}
        self.kept = [self.server.snapshot(KEY)]
        self.down: dict[int, bytes] = {}
        self.up: list[tuple[int, bytes]] = [
            (u, wire.encode(host.client.start())) for u, host in self.hosts.items()
        ]
        self.seen = [frame for _, frame in self.up]
        self.over: SecAggError | None = None
        self.aborted: set[int] = set()
        self.released: dict[tuple[str, int], set[int]] = {}

    # What happens to the two sides.

    def to_client(self, u: int, frame: bytes) -> None:
        client = self.hosts[u].client
        before: Any = client._state
        try:
            reply = client.receive(frame)
        except SecAggError:
            return
        if isinstance(reply, Unmasking) and isinstance(before, Checked):  # and not repeated
            self.note_released(u, before)
        self.up.append((u, wire.encode(reply)))
        self.seen.append(self.up[-1][1])

    def to_server(self, u: int, frame: bytes) -> None:
        try:
            self.server.receive(u, frame)
        except SecAggError:
            return

    def note_released(self, holder: int, checked: Any) -> None:
        for owner in {*checked.held, holder}:
            kind = "b" if owner in checked.U3 else "s_sk"
            self.released.setdefault((kind, owner), set()).add(holder)

    # What can happen.

    @rule(late=some)
    def everybody_answers(self, late: set[int]) -> None:
        """The network works, but for these."""
        for u in list(self.down):
            if u not in late:
                self.to_client(u, self.down.pop(u))
        for u, frame in self.up:
            self.to_server(u, frame)
        self.up.clear()

    @rule(late=some)
    def an_orderly_round(self, late: set[int]) -> None:
        self.everybody_answers(late)
        self.the_round_is_closed(hurry=1)

    @rule(u=who)
    def one_message_down(self, u: int) -> None:
        if u in self.down:
            self.to_client(u, self.down.pop(u))

    @precondition(lambda self: self.up)
    @rule(i=lots, twice=st.booleans())
    def one_message_up(self, i: int, twice: bool) -> None:
        u, frame = self.up[i % len(self.up)]
        self.to_server(u, frame)
        if not twice:
            self.up.remove((u, frame))

    @rule(u=who)
    def a_message_down_is_lost(self, u: int) -> None:
        self.down.pop(u, None)

    @precondition(lambda self: self.up)
    @rule(i=lots)
    def a_message_up_is_lost(self, i: int) -> None:
        self.up.pop(i % len(self.up))

    @rule(u=who, i=lots)
    def something_old_to_the_server(self, u: int, i: int) -> None:
        self.to_server(u, self.seen[i % len(self.seen)])

    @rule(u=who, i=lots, trouble=trouble)
    def something_old_to_a_client(self, u: int, i: int, trouble: int) -> None:
        if trouble == 5:  # it aborts nearly always: not every time
            self.to_client(u, self.seen[i % len(self.seen)])

    @rule(u=who, i=lots, bit=lots)
    def a_bit_flips_on_the_way_up(self, u: int, i: int, bit: int) -> None:
        self.to_server(u, flipped(self.seen[i % len(self.seen)], bit))

    @rule(u=who, bit=lots, trouble=trouble)
    def a_bit_flips_on_the_way_down(self, u: int, bit: int, trouble: int) -> None:
        if trouble == 5 and u in self.down:
            self.to_client(u, flipped(self.down.pop(u), bit))

    @rule(u=who, U3=st.sets(who, min_size=T), trouble=trouble)
    def a_lie_about_U3(self, u: int, U3: set[int], trouble: int) -> None:
        if trouble == 5 and self.hosts[u].client.state == "Masked":
            self.to_client(u, wire.encode(Survivors(tuple(sorted(U3)))))

    @rule(u=who)
    def a_client_crashes(self, u: int) -> None:
        """It comes back with the blob of the generation that its host keeps."""
        host = self.hosts[u]
        host.restart()
        host.client._member = replace(
            host.client._member, rand=Stream("restarted", u, host.generation)
        )

    @rule(i=lots)
    def the_server_crashes(self, i: int) -> None:
        """It comes back from the last snapshot, or now and then from any older one."""
        if self.over is None:
            old = i % len(self.kept) if i % 7 == 3 else -1
            self.server = restored(self.party, self.kept[old])
            self.down = {u: wire.encode(message) for u, message in self.server.outbox.items()}

    @rule(hurry=st.integers(0, 50))
    def the_round_is_closed(self, hurry: int) -> None:
        """As soon as enough have answered, or now and then before."""
        current: Any = self.server._round
        if self.over is not None or isinstance(current, secagg.Aggregate):
            return
        if hurry != 17 and len(current.answered) < T:
            return
        try:
            outbox = self.server.close_round()
        except SecAggError as error:
            self.over = error
            return
        self.down = {u: wire.encode(message) for u, message in outbox.items()}
        self.kept.append(self.server.snapshot(KEY))
        self.seen += list(self.down.values())[:1]

    # What must always hold.

    @invariant()
    def the_sum_is_exact(self) -> None:
        result = self.server._round
        if isinstance(result, secagg.Aggregate):
            assert len(result.survivors) >= T
            assert result.sum.tolist() == self.party.expected(result.survivors)
            assert result.disputes == ()

    @invariant()
    def nobody_is_opened_twice(self) -> None:
        for u in IDS:
            b, s_sk = (self.released.get((kind, u), set()) for kind in ("b", "s_sk"))
            assert min(len(b), len(s_sk)) < T, f"both secrets of {u}: {b}, {s_sk}"

    @invariant()
    def aborted_is_for_good(self) -> None:
        """A crash does not bring it back."""
        for u, host in self.hosts.items():
            if host.client.state == "Aborted":
                self.aborted.add(u)
            assert (host.client.state == "Aborted") == (u in self.aborted)

    def teardown(self) -> None:
        """Whatever has happened, playing on honestly ends in the sum or in a typed error."""
        for _ in range(6):
            self.everybody_answers(set())
            self.the_round_is_closed(hurry=17)
        assert self.over is not None or isinstance(self.server._round, secagg.Aggregate)
        self.the_sum_is_exact()
        self.nobody_is_opened_twice()


def flipped(frame: bytes, bit: int) -> bytes:
    octets = bytearray(frame)
    octets[bit // 8 % len(frame)] ^= 1 << bit % 8
    return bytes(octets)


def endings(rules: settings) -> dict[str, int]:
    """Run the machine; how often it ended in each way before everybody was honest again."""
    counts: dict[str, int] = {}

    class Counting(Session):
        def teardown(self) -> None:
            ending = type(self.over or self.server._round).__name__
            counts[ending] = counts.get(ending, 0) + 1
            super().teardown()

    run_state_machine_as_test(Counting, settings=rules)
    return counts


def test_any_session() -> None:
    """And it proves something: not every session breaks down, and not every one gets through."""
    counts = endings(SETTINGS)
    assert counts["Aggregate"] >= 1  # how many is up to what this Hypothesis draws
    assert len(counts) >= 5, counts  # and somewhere in most rounds of the server


@pytest.mark.slow
def test_any_session_at_length() -> None:
    endings(settings(SETTINGS, max_examples=1500, stateful_step_count=60))
