"""The halves of a round on machines of their own give what the simulation gives, bit for bit.

Each client and the server have processes that were built apart; between them only bytes, and what
is the same for every client, travel: the message, the shape of the sum, the protocol's frames.
"""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import fl
import secagg
from fl.aggregators.contribution import Contribution
from fl.aggregators.plain import add_up
from fl.aggregators.totals import Aggregated
from secagg import wire
from tests.helpers.small import arrays, compiled, linear

DATA = [arrays(n, seed=n) for n in (20, 13, 9, 30)]
EMPTY = (np.zeros((0, 4), np.float32), np.zeros(0, int))
GONE = {1: 2}  # in the protocol's round 2, before its vector is sent


def session(params, vectors):
    """One session between clients that each have their own parameters; the sums, the survivors."""
    keys = {u: Ed25519PrivateKey.generate() for u in vectors}
    directory = {u: key.public_key().public_bytes_raw() for u, key in keys.items()}
    own = X25519PrivateKey.generate()
    # What whoever carries the messages agrees on with every client.
    agreed = {"server_key": own.public_key().public_bytes_raw(), "session": bytes(16)}
    clients = {
        u: secagg.Client(
            u,
            replace(params[u], **agreed),
            vectors[u],
            signing_key=keys[u],
            directory=directory,
        )
        for u in vectors
    }
    server = secagg.Server(
        replace(params["server"], **agreed), directory=directory, private_key=own
    )
    replies = {u: client.start() for u, client in clients.items()}
    for number in range(5):
        for u, reply in replies.items():
            if number < GONE.get(u, 5):
                server.receive(u, reply)
        frames = dict(wire.encode_all(server.close_round()))
        replies = {
            u: clients[u].receive(frame)
            for u, frame in frames.items()
            if number + 1 < GONE.get(u, 5) and number < 4
        }
    return server.result.vectors, server.result.survivors


def apart(build, state, data, rounds):
    """Rounds by halves that were built apart; the last state and metrics."""
    server = build()
    if hasattr(server, "trace"):
        server.trace(DATA[0])
    halves = [build().client_half for _ in "ab"]
    clients = [halves[u % 2] for u in range(len(data))]
    for _ in range(rounds):
        state, metrics = one_round(server.server_half, clients, state, data)
    return state, metrics


def one_round(server, clients, state, data):
    message = server.message(state)
    worked = {}
    for u, half in enumerate(clients):
        received = half.read(message)
        worked[u] = received, half.contribution(received, u, data[u])
    done = next(u for u, (_, given) in worked.items() if given is not None)
    shape = clients[done].shape(*worked[done], len(clients))
    inputs = {}
    for u, (received, given) in worked.items():
        numbers = sum(metric.size for metric in shape.metrics)
        given = given or Contribution.left_out((*shape.sizes, numbers), malformed=False)
        inputs[u] = clients[u].submit(received, u, given, shape)
    params = {u: given.params for u, given in inputs.items()}
    params["server"] = server.params(state, message, shape)
    vectors = {u: given.vectors for u, given in inputs.items()}
    if params["server"] is None:
        survivors = [u for u in vectors if u not in GONE]
        sums = add_up(vectors[u] for u in survivors)
    else:
        sums, survivors = session(params, vectors)
    totals = server.decode(state, sums, len(survivors), shape)
    total = Aggregated.of(
        totals, kind="apart", clients=vectors, survivors=survivors, threshold=len(survivors)
    )
    return server.finish(state, total, 0.0)


def layered():
    keras.utils.set_random_seed(3)
    layers = [
        keras.layers.Dense(5),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(3),
    ]
    return compiled(keras.Sequential([keras.Input((4,)), *layers]))


def numbers(state):
    if isinstance(state, fl.KMeansState):
        return [state.centers, state.weights]
    return [state.weights.to_vector(), *state.optimizer, *state.aggregator]


def training(aggregator, **options):
    return lambda: fl.build_weighted_fed_avg(
        layered,
        server_optimizer_fn=lambda: fl.FedAdam(0.1),
        aggregator=aggregator,
        batch_size=4,
        epochs=2,
        seed=5,
        **options,
    )


AGGREGATORS = {
    "secure": fl.SecureSum(max_weight=100),
    "without a clip": fl.SecureSum(clip=None),
    "by norm": fl.aggregators.ByNorm(fl.SecureSum(), 0.1),
    "adaptive": fl.aggregators.AdaptiveNorm(fl.SecureSum()),
    "rotated": fl.SecureSum(coding=fl.aggregators.Rotated(bits=12)),
    "rotated, some, adaptive": fl.aggregators.AdaptiveNorm(
        fl.SecureSum(coding=fl.aggregators.Rotated(bits=12, keep=0.5))
    ),
    "plain": fl.PlainSum(),
    "plain, adaptive": fl.aggregators.AdaptiveNorm(fl.PlainSum()),
}
BUILDERS = {
    **{name: training(aggregator) for name, aggregator in AGGREGATORS.items()},
    "rates": training(fl.SecureSum(), client_learning_rate=lambda number: 0.1 / (number + 1)),
    "FedSGD": lambda: fl.build_fed_sgd(linear),
    "FedProx": lambda: fl.build_unweighted_fed_prox(linear, 0.1),
    "k-means": lambda: fl.build_fed_kmeans(3, (4,), memory=0.5),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_halves_apart_end_with_the_weights_of_the_simulation(name):
    process = BUILDERS[name]()
    begin = state = process.initialize()
    data = [*DATA[:3], EMPTY, DATA[3]]
    for _ in range(2):
        state, metrics = process.next(state, data, dropouts=GONE)
    reached, seen = apart(BUILDERS[name], begin, data, 2)
    assert reached.round == state.round == 2
    for one, other in zip(numbers(reached), numbers(state), strict=True):
        np.testing.assert_array_equal(one, other)
    assert seen["client_work"] == metrics["client_work"]
    assert seen["aggregator"]["survivors"] == [0, 2, 3, 4]
    for kind in ("clip_norm", "clip_fraction", "error_bound", "without_examples", "non_finite"):
        assert seen["aggregator"].get(kind) == metrics["aggregator"].get(kind)


def test_an_evaluation_in_halves():
    def build():
        return fl.build_fed_eval(layered)

    evaluation = build()
    state = evaluation.initialize()
    expected = evaluation(state.weights, [data for u, data in enumerate(DATA) if u not in GONE])
    _, seen = apart(build, state, DATA, 1)
    for name, value in expected["client_work"]["eval"].items():
        assert seen["client_work"]["eval"][name] == pytest.approx(value, rel=1e-6)


def test_tracing_changes_no_weight():
    traced, other = BUILDERS["secure"](), BUILDERS["secure"]()
    traced.trace((np.zeros((1, 4), np.float32), np.zeros(1, int)))
    states = [process.next(process.initialize(), DATA).state for process in (traced, other)]
    np.testing.assert_array_equal(*(state.weights.to_vector() for state in states))
    with pytest.raises(fl.errors.DataError, match=r"x has shape \(examples, 9\)"):
        traced.trace((np.zeros((1, 9), np.float32), np.zeros(1, int)))


def test_a_client_refuses_what_the_message_does_not_say():
    half = training(fl.SecureSum())().client_half
    server = training(fl.SecureSum())()
    message = server.server_half.message(server.initialize())
    received = half.read(message)
    given = half.contribution(received, 0, DATA[0])
    shape = half.shape(received, given, 4)
    for wrong in (replace(shape, sizes=(1, 2)), replace(shape, weighted=False)):
        with pytest.raises(fl.errors.AggregationError):
            half.submit(received, 0, given, wrong)
    head, _, body = message.partition(b"\n")
    header = json.loads(head)
    for name, value in (("seed", "1"), ("kind", "k-means"), ("task", [])):
        with pytest.raises(fl.errors.FLError, match="a message of a round"):
            half.read(json.dumps({**header, name: value}).encode() + b"\n" + body)


def test_who_was_sent_other_bytes_is_not_in_the_session():
    server = training(fl.SecureSum())()
    half, state = training(fl.SecureSum())().client_half, server.initialize()
    message = server.server_half.message(state)
    other = server.server_half.message(replace(state, round=1))
    params = []
    for sent in (message, other):
        received = half.read(sent)
        given = half.contribution(received, 0, DATA[0])
        params.append(half.submit(received, 0, given, half.shape(received, given, 4)).params)
    one, other = params
    assert one.context != other.context
    assert replace(one, context=other.context, session=other.session) == other


def test_an_aggregator_without_halves_is_for_one_process():
    class Alone:
        def aggregate(self, contributions, session):
            return fl.PlainSum().aggregate(contributions, session)

    process = training(Alone())()
    state = process.next(process.initialize(), DATA).state
    message = process.server_half.message(state)
    received = process.client_half.read(message)
    given = process.client_half.contribution(received, 0, DATA[0])
    shape = process.client_half.shape(received, given, 4)
    with pytest.raises(fl.errors.AggregationError, match="Alone, which sums in one process alone"):
        process.client_half.submit(received, 0, given, shape)
