"""Federations in one process: nodes that live for one message, and can be lost after any."""

import keras

import fl
from fl.flower import federation
from fl.flower.coordinator import Coordinator
from fl.flower.enrolment import found
from fl.flower.exchange import Deadlines
from fl.flower.federation import Terms
from fl.flower.node import Node
from fl.flower.records import Refusal, answer_in, request_in
from tests.helpers.small import arrays, compiled

DATA = [arrays(n, seed=n) for n in (20, 13, 9, 30, 17)]
TERMS = Terms(n=5, threshold=3, corrupt=0, max_weight=100)
KINDS = ("training", "evaluation", "k-means", "regression")


def model():
    """Two layers, one with statistics."""
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(5), keras.layers.BatchNormalization(), keras.layers.Dense(3)]
    return compiled(keras.Sequential([keras.Input((4,)), *layers]))


def training(aggregator=None):
    """Adaptive federated averaging, by the sum of `TERMS` if no other is given."""
    return fl.build_weighted_fed_avg(
        model,
        server_optimizer_fn=lambda: fl.FedAdam(0.1),
        aggregator=aggregator or TERMS.aggregator(),
        batch_size=4,
        epochs=2,
        seed=5,
    )


class Local:
    """A transport without a network. Every message finds a new `Node` on the folder of its host.

    lost: node -> how many messages it still answers. repeat: every message comes twice.
    statuses: client -> that of its device.
    """

    def __init__(self, folders, process, data, repeat=False, kind="training"):
        self.folders, self.data, self.repeat = folders, data, repeat
        self.halves = {kind: lambda: process.client_half}
        self.lost, self.sent, self.refusals, self.statuses = {}, [], [], {}

    def nodes(self):
        return list(range(100, 100 + len(self.folders)))

    def exchange(self, requests, seconds):
        for node, record in requests.items():
            u = node - 100
            if self.lost.get(u, 99) <= 0:
                continue
            self.lost[u] = self.lost.get(u, 99) - 1
            yield node, self.deliver(u, record)

    def deliver(self, u, record):
        self.sent.append((u, record))
        answer = self.node(u).answer(record)
        if self.repeat and self.node(u).answer(record) != answer:
            raise ValueError(f"client {u} answers twice in two ways, expected the same bytes")
        if isinstance(read := answer_in(answer), Refusal):
            self.refusals.append((u, type(request_in(record)).__name__, read.reason))
        return answer

    def node(self, u):
        status = (lambda: self.statuses[u]) if u in self.statuses else None
        return Node(federation.read(self.folders[u]), self.halves, lambda: self.data[u], status)


def federate(root, process, data, terms=TERMS, **options):
    """A new federation on a process: its transport and its coordinator."""
    kind = options.pop("kind", "training")
    repeat = options.pop("repeat", False)
    folders = found(root, terms, kinds=KINDS, **options)
    transport = Local(folders, process, data, repeat, kind)
    return transport, coordinator(root, process, data[0], transport)


def coordinator(root, process, examples, transport):
    server = federation.read(root / "server")
    halves = process.server_half, process.client_half
    return Coordinator(server, *halves, examples, transport, Deadlines())
