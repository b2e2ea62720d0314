"""A node's part: one message in, one answer out, and nothing kept but what is in its folder.

    Begin   check the terms -> train -> vectors -> round 0 of a `secagg.Client`, or by this node's
            own terms the vectors as they are
    Step    restore the client from its snapshot -> the next round

A process may end after any answer: the next one finds the client in the folder. What is refused is
one line in the log; the server is told the kind of error, and no more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

import secagg
from fl.aggregators.contribution import Contribution
from fl.aggregators.interface import SumShape, split
from fl.errors import DataError, FLError, SecAggError
from fl.flower.clear import clear_of
from fl.flower.federation import Consent, Federation, NotAgreed, NotReady
from fl.flower.folder import NodeFolder
from fl.flower.records import (
    Begin,
    Clear,
    Closing,
    End,
    Refusal,
    Reply,
    Request,
    Shape,
    Step,
    request_in,
    write,
)
from fl.population.devices import CONDITIONS, Status
from fl.process.client_half import ClientHalf, OfAModel
from fl.round_message import Received, digest_of, kind_of

_log = logging.getLogger("fl.flower")

Halves = Mapping[str, Callable[[], ClientHalf]]
"""For each kind of work, what makes this node's half of it; its aggregator is not used."""


class _Begun(msgspec.Struct, frozen=True, array_like=True):
    """What a session is about: all that its parameters follow from, besides the terms."""

    shape: Shape
    digest: bytes
    announced: tuple[float, ...]


class Node:
    """One client of a federation.

    data: makes this client's examples; called once a round. status: of this device, for conditions;
    without it a message with any is refused. Raises FLError for a federation without a [node]
    section, and as reading its keys does.
    """

    def __init__(
        self,
        federation: Federation,
        halves: Halves,
        data: Callable[[], object],
        status: Callable[[], Status] | None = None,
    ) -> None:
        if federation.consent is None:
            raise FLError(f"{federation.folder}: no [node] section, expected one")
        self._federation = federation
        self._consent: Consent = federation.consent
        self._halves = halves
        self._data = data
        self._status = status
        self._kept = NodeFolder(federation.folder / "state")
        self._key = secagg.identity.load(federation.folder / self._consent.identity)
        self._certificate = b""
        if self._consent.certificate is not None:
            text = (federation.folder / self._consent.certificate).read_text("ascii")
            self._certificate = bytes.fromhex(text.strip())

    def answer(self, record: bytes) -> bytes:
        """The answer to a message; a `Refusal` where it is not to be answered."""
        try:
            with self._kept.locked():
                return write(self._answer(request_in(record)))
        except (FLError, SecAggError, OSError) as error:
            _log.warning("client %d refuses: %s", self._consent.client, error)
            return write(Refusal(type(error).__name__))

    def _answer(self, request: Request) -> Reply | Clear:
        if isinstance(request, End):
            self._end(request.ended)
            return Reply(request.ended.session, b"")
        if isinstance(request, Step):
            return self._step(request)
        if request.ended is not None:
            self._end(request.ended)
        return self._begin(request)

    def _begin(self, request: Begin) -> Reply | Clear:
        """Round 0, after the local work. The same request again is given the same reply."""
        self._federation.check(request.terms)
        digest, shape = digest_of(request.message), request.shape
        if (noted := self._kept.begun(request.session)) is not None:
            begun = _read(noted)
            if begun.digest != digest or begun.shape != shape:
                raise NotAgreed("the server begins a session a second time, expected a new id")
            if self._kept.generation(request.session):
                client = self._restored(request.session, begun)
                return Reply(request.session, secagg.wire.encode(client.start()))
        else:
            self._check_consent(kind_of(request.message), digest)
            self._check_ready(request.conditions)
        return self._worked(request, digest)

    def _worked(self, request: Begin, digest: bytes) -> Reply | Clear:
        half = self._half(kind_of(request.message))
        shape, received = request.shape.read(), half.read(request.message)
        if shape.n != self._federation.terms.n:
            raise NotAgreed(f"a sum of {shape.n}, expected {self._federation.terms.n} clients")
        # Noted before the work: whoever is killed during it has taken part.
        begun = _Begun(request.shape, digest, received.announced)
        self._kept.begin(request.session, digest, msgspec.msgpack.encode(begun))
        contribution = self._contribution(half, received, shape)
        u = self._consent.client
        given = half.submit(received, u, contribution, shape)
        if given.params is None:  # by `half.aggregator`, which is that of this node's own terms
            numbers = given.vectors, self._key, self._certificate
            return clear_of(request.session, digest, u, *numbers)
        client = secagg.Client(
            u,
            self._of_session(given.params, request.session),
            given.vectors,
            signing_key=self._key,
            directory=self._federation.directory,
            certificate=self._certificate,
            store=self._kept.store(request.session),
        )
        return Reply(request.session, secagg.wire.encode(client.start()))

    def _contribution(self, half: ClientHalf, received: Received, shape: SumShape) -> Contribution:
        """The local work; zeros, and a count, for a client without examples or with wrong ones."""
        sizes = (*shape.sizes, sum(metric.size for metric in shape.metrics))
        try:
            given = half.contribution(received, self._consent.client, self._data())
        except DataError as error:
            _log.warning("client %d counts for nothing: %s", self._consent.client, error)
            return Contribution.left_out(sizes, malformed=True)
        return Contribution.left_out(sizes, malformed=False) if given is None else given

    def _step(self, request: Step) -> Reply:
        noted = self._kept.begun(request.session)
        if noted is None:
            raise NotAgreed("a message of a session that never began here, expected its beginning")
        client = self._restored(request.session, _read(noted))
        return Reply(request.session, secagg.wire.encode(client.receive(request.frame)))

    def _end(self, ended: Closing) -> None:
        """Forget a session if the server has ended it; whatever else comes changes nothing."""
        noted = self._kept.begun(ended.session)
        if noted is None or self._kept.blob(ended.session) is None:
            return
        try:
            self._restored(ended.session, _read(noted)).end(ended.frame)
        except SecAggError as error:
            _log.warning("client %d: no end of a session: %s", self._consent.client, error)
            return
        self._kept.forget()

    def _check_consent(self, kind: str, digest: bytes) -> None:
        consent = self._consent
        if kind not in consent.kinds:
            raise NotAgreed(f"the server asks for {kind!r}, expected {' or '.join(consent.kinds)}")
        if self._kept.sessions >= consent.sessions:
            raise NotAgreed(f"{self._kept.sessions} sessions are over, expected no other one")
        if (times := self._kept.answered(digest)) >= consent.same_message:
            raise NotAgreed(f"a message that was answered {times} times, expected a new one")

    def _check_ready(self, asked: tuple[str, ...]) -> None:
        """Look at the device. Raises NotReady, and NotAgreed for what no device can be asked."""
        names = dict.fromkeys((*self._consent.conditions, *asked))
        if unknown := [name for name in names if name not in CONDITIONS]:
            raise NotAgreed(f"a condition {unknown[0]!r}, expected {' or '.join(CONDITIONS)}")
        if not names:
            return
        if self._status is None:
            raise NotReady("conditions, expected none: nothing tells the status of this device")
        status = self._status()
        for name in names:
            if not CONDITIONS[name](status):
                raise NotReady(f"a device that is not {name}, expected one that is")

    def _half(self, kind: str) -> ClientHalf:
        """This node's half of this kind of work, with the sum of its own terms."""
        if kind not in self._halves:
            raise NotAgreed(f"the server asks for {kind!r}, expected {' or '.join(self._halves)}")
        half = self._halves[kind]()
        if self._consent.models and isinstance(half.work, OfAModel):
            from fl.model.architecture import model_digest  # with Keras, which is slow to import

            if (seen := model_digest(half.work.model)) not in self._consent.models:
                raise NotAgreed(f"a model with digest {seen}, expected one of those allowed")
        return replace(half, aggregator=self._federation.terms.aggregator())

    def _restored(self, session: bytes, begun: _Begun) -> secagg.Client:
        """The client of a session, from its snapshot."""
        blob = self._kept.blob(session)
        if blob is None:
            raise NotAgreed("a message of a session that is forgotten, expected a new session")
        aggregator = split(self._federation.terms.aggregator())
        side = aggregator.client_side(begun.shape.read(), begun.announced)
        return secagg.Client.restore(
            blob,
            self._kept.generation(session),
            self._consent.client,
            self._of_session(side.params(begun.digest), session),
            signing_key=self._key,
            directory=self._federation.directory,
            certificate=self._certificate,
            store=self._kept.store(session),
        )

    def _of_session(self, params: secagg.Params | None, session: bytes) -> secagg.Params:
        if params is None:
            raise FLError("a sum in the clear, expected one by the protocol")
        return replace(params, session=session, server_key=self._federation.server_key)


def _read(noted: bytes) -> _Begun:
    return msgspec.msgpack.decode(noted, type=_Begun)
