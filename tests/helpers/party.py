"""A session that a test can stop between any two messages, to change one of them."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from secrets import token_bytes
from typing import Any

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import secagg
from secagg.identity.authority import issue
from secagg.keys import Transcript
from secagg.messages import (
    AdvertiseKeys,
    Ciphertexts,
    ClientMessage,
    MaskedInput,
    ServerMessage,
    Unmasking,
)
from secagg.roster import RosterChecks
from secagg.server.rounds import Advertising
from secagg.server_sealing import open_at_server, seal_for_server

SPECS = (secagg.VectorSpec("x", 3, 16),)
SERVER_KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
"""The private key of every server that tests make."""

SERVER_PUBLIC = SERVER_KEY.public_key().public_bytes_raw()


def identity(seed: int) -> Ed25519PrivateKey:
    """The same key for the same seed."""
    return Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "little"))


def shares_in(message: Unmasking, binding: Transcript) -> bytes:
    """The shares of round 4, as the server opens them."""
    return open_at_server(binding, SERVER_KEY, message.u, message.sealed)


class Party:
    """n clients with ids 10, 20, ... and an honest server; `outsiders` are enrolled but absent.

    Keys are pinned; with `ca` they are certified by it instead. Many clients are faster with
    `RememberedChecks` for their `checks`.
    """

    def __init__(
        self,
        n: int = 5,
        *,
        outsiders: int = 0,
        ca: Ed25519PrivateKey | None = None,
        executor: Executor | None = None,
        checks: RosterChecks | None = None,
        **params: Any,
    ) -> None:
        self.checks = checks
        params.setdefault("session", b"a party of tests")
        params.setdefault("server_key", SERVER_PUBLIC)
        self.ids = [10 * (i + 1) for i in range(n)]
        everybody = [10 * (i + 1) for i in range(n + outsiders)]
        self.keys = {u: identity(u) for u in everybody}
        public = {u: key.public_key().public_bytes_raw() for u, key in self.keys.items()}
        self.directory: Any = secagg.Pinned(public)
        self.certificates = dict.fromkeys(everybody, b"")
        if ca is not None:
            self.directory = secagg.Authority(ca.public_key().public_bytes_raw())
            self.certificates = {u: issue(ca, u, key) for u, key in public.items()}
        self.params = secagg.Params(params.pop("most", n), SPECS, **params)
        self.server = secagg.Server(
            self.params, directory=self.directory, private_key=SERVER_KEY, executor=executor
        )
        self.inputs = {u: np.array([u, u + 1, 2**16 - u], "<u2") for u in self.ids}
        self.clients = {u: self.client(u) for u in self.ids}
        self.replies: dict[int, ClientMessage] = {}
        self.outbox: dict[int, ServerMessage] = {}
        self.round = -1
        self.binding: Transcript

    def client(
        self, u: int, *, store: secagg.SnapshotStore | None = None, **changes: Any
    ) -> secagg.Client:
        """Another client with u's identity and input; `changes` to the parameters it believes."""
        return secagg.Client(
            u,
            replace(self.params, **changes),
            self.inputs[u],
            signing_key=self.keys[u],
            directory=self.directory,
            certificate=self.certificates[u],
            store=store,
            checks=self.checks,
        )

    def collect(self, *, but: Collection[int] = ()) -> None:
        """Everybody answers what it was sent, and the server receives it; not those in `but`."""
        self.round += 1
        asked = self.outbox or self.ids
        self.replies = {u: self.answer(u) for u in asked if u not in but}
        for u, reply in self.replies.items():
            self.server.receive(u, reply)

    def answer(self, u: int) -> Any:
        """What client u truly says to what it was sent, or to begin with."""
        sent = self.outbox.get(u)
        return self.clients[u].start() if sent is None else self.clients[u].receive(sent)

    def close(self) -> None:
        """The server closes the round; what it sends is in `outbox`."""
        self.outbox = self.server.close_round()
        if not isinstance(self.server._round, Advertising | secagg.Aggregate):
            self.binding = self.server._round.rostered.transcript  # type: ignore[union-attr]

    def after(self, round: int, *, absent: Mapping[int, int] | None = None) -> "Party":
        """Play honestly up to the close of `round`; `absent` maps a client to its first silence."""
        gone = absent or {}
        while self.round < round:
            self.collect(but=[u for u in gone if gone[u] <= self.round + 1])
            self.close()
        return self

    def finish(self) -> secagg.Aggregate:
        """Play honestly to the end."""
        self.after(4)
        return self.server.result

    def expected(self, survivors: tuple[int, ...]) -> list[int]:
        """The sum over these clients."""
        return [int(w) for w in np.sum([self.inputs[u] for u in survivors], axis=0, dtype="<u2")]

    def advertisement(self, u: int, c_pk: bytes, s_pk: bytes, commitment: bytes) -> AdvertiseKeys:
        """What a corrupt client u can sign: any keys it likes."""
        return self.signed(
            AdvertiseKeys(u, c_pk, s_pk, commitment, self.certificates[u], bytes(64))
        )

    def signed(self, message: Any, **changes: Any) -> Any:
        """The message with some fields changed, signed again by its author."""
        message = msgspec.structs.replace(message, **changes)
        digest = self.params.digest(self.directory.digest)
        roster = b"" if message.round == 0 else self.roster_digest()
        key = self.keys[message.u]
        transcript = Transcript(digest, roster)
        signature = transcript.sign(key, message.round, message.u, self.body(message))
        return msgspec.structs.replace(message, signature=signature)

    def body(self, message: Any) -> bytes:
        """What its author signs: in round 2 with what it was sent."""
        if isinstance(message, MaskedInput):
            sent: Any = self.outbox.get(message.u, Ciphertexts((), memoryview(b"")))
            return message.body(sent.digest())
        body: bytes = message.body()
        return body

    def resealed(self, message: Unmasking, change: Callable[[bytes], bytes]) -> Unmasking:
        """The shares of round 4 opened with the server's key, changed, and sealed and signed."""
        shares = change(shares_in(message, self.binding))
        sealed = seal_for_server(self.binding, SERVER_PUBLIC, message.u, shares, token_bytes)
        resigned: Unmasking = self.signed(message, sealed=sealed)
        return resigned

    def roster_digest(self) -> bytes:
        """The digest of the roster that the server has closed."""
        digest: bytes = self.server._round.rostered.roster.digest  # type: ignore[union-attr]
        return digest


def unsigned(message: Any, **changes: Any) -> Any:
    """Some fields changed, the signature as it was."""
    return msgspec.structs.replace(message, **changes)
