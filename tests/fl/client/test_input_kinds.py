"""Whatever `fit` takes, a client may hold: one client ends where `fit` ends, or is refused."""

from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf

import fl
from fl.client.examples import read_examples
from fl.data import ClientData
from tests.helpers.small import arrays, linear

layers = keras.layers
BATCH, N = 8, 20
X, Y = arrays(N)
RNG = np.random.default_rng(5)
B = RNG.normal(size=(N, 3)).astype(np.float32)
P = RNG.normal(size=(N, 1)).astype(np.float32)
W, V = RNG.random((2, N)).astype(np.float32)


class Batches(keras.utils.PyDataset):
    """Batches of x, y, ... as `make` puts them together; counts epochs."""

    def __init__(self, make, *arrays):
        super().__init__()
        self.make, self.arrays, self.epochs = make, arrays, [0, 0]

    def __len__(self):
        return -(-len(keras.tree.flatten(self.arrays)[0]) // BATCH)

    def __getitem__(self, index):
        rows = slice(index * BATCH, (index + 1) * BATCH)
        return self.make(*keras.tree.map_structure(lambda array: array[rows], self.arrays))

    def on_epoch_begin(self):
        self.epochs[0] += 1

    def on_epoch_end(self):
        self.epochs[1] += 1


class Loader:
    """Gives lists of tensors, as loaders of other libraries do."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __iter__(self):
        return map(list, dataset(*self.arrays))


def dataset(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays).batch(BATCH)


def tupled(*arrays):
    return arrays


def autoencoder():
    """Its loss is added by a layer: it has no y."""

    class Reconstruction(layers.Layer):
        def call(self, pair):
            self.add_loss(keras.ops.mean((pair[0] - pair[1]) ** 2))
            return pair[1]

    keras.utils.set_random_seed(1)
    x = keras.Input((4,))
    model = keras.Model(x, Reconstruction()([x, layers.Dense(4)(layers.Dense(2, "tanh")(x))]))
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    return model


def copying():
    """The same with a loss of `compile`, for fit(x, x)."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, "tanh"), layers.Dense(4)])
    model.compile(keras.optimizers.SGD(0.1), loss="mse", jit_compile=False)
    return model


class TakesX(keras.Model):
    """A step of its own in which `data` is x, as in the examples of Keras for autoencoders."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4)
        self.error = keras.metrics.Mean(name="error")

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            error = keras.ops.mean((data - self(data)) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(error, variables), variables)
        self.error.update_state(error, sample_weight=keras.ops.shape(data)[0])
        return {"error": self.error.result()}


def takes_x():
    keras.utils.set_random_seed(1)
    model = TakesX()
    model(np.zeros((1, 4), np.float32))
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    return model


def several(named):
    """Two inputs, a and b; two outputs, p and q, in a list or by name."""
    keras.utils.set_random_seed(1)
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    hidden = layers.Concatenate()([layers.Dense(3)(a), layers.Dense(2)(b)])
    p, q = layers.Dense(1, name="p")(hidden), layers.Dense(3, name="q")(hidden)
    model = keras.Model([a, b], {"p": p, "q": q} if named else [p, q])
    classes = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.SGD(0.05), loss={"p": "mse", "q": classes}, metrics={"q": ["accuracy"]}
    )
    return model


def nested():
    """Inputs in a structure: [a, {"b": b}]."""
    keras.utils.set_random_seed(1)
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    hidden = layers.Concatenate()([layers.Dense(3)(a), layers.Dense(2)(b)])
    model = keras.Model([a, {"b": b}], layers.Dense(1)(hidden))
    model.compile(keras.optimizers.SGD(0.05), loss="mse", jit_compile=False)
    return model


def named():
    return several(named=True)


def listed():
    return several(named=False)


INPUTS, TARGETS, WEIGHTS = {"a": X, "b": B}, {"p": P, "q": Y}, {"p": W, "q": V}
# For each model what `fit` is given, and the forms of it.
FORMS = {
    linear: [
        (
            (X, Y),
            {
                "lists of numbers": (X.tolist(), Y.tolist()),
                "tensors": (tf.constant(X), tf.constant(Y)),
                "a list of one input": ([X], Y),
                "nothing in place of weights": (X, Y, None),
                "PyDataset": Batches(tupled, X, Y),
                "PyDataset of lists": Batches(lambda x, y: [x, y], X, Y),
                "PyDataset of dicts": Batches(lambda x, y: {"x": x, "y": y}, X, Y),
                "generator": lambda: iter(Batches(tupled, X, Y)),
                "function that makes a data set": lambda: dataset(X, Y),
                "function that makes arrays": lambda: (X, Y),
                "loader of another library": lambda: Loader(X, Y),
                "an empty batch": [*dataset(X, Y).as_numpy_iterator(), (X[:0], Y[:0])],
                "labels (n, 1)": (X, Y[:, None]),
            },
        ),
        (
            (X, Y, W),
            {
                "arrays": (X, Y, W),
                "weights (n, 1)": (X, Y, W[:, None]),
                "by name": {"x": X, "y": Y, "sample_weight": W},
                "data set": dataset(X, Y, W),
                "PyDataset": Batches(tupled, X, Y, W),
                "generator": lambda: iter(Batches(tupled, X, Y, W)),
            },
        ),
    ],
    copying: [((X, X), {"arrays": (X, X), "data set": dataset(X, X)})],
    autoencoder: [
        (
            (X,),
            {
                "x": X,
                "(x,)": (X,),
                "(x, None)": (X, None),
                "by name": {"x": X},
                "data set": dataset(X),
                "data set of x": tf.data.Dataset.from_tensor_slices(X).batch(BATCH),
                "PyDataset": Batches(tupled, X),
                "PyDataset of x": Batches(lambda x: x, X),
                "generator": lambda: ((x,) for (x,) in Batches(tupled, X)),
                "list of batches": [(X[:8],), (X[8:16],), (X[16:],)],
            },
        ),
    ],
    takes_x: [
        (
            (X,),
            {
                "x": X,
                "(x,)": (X,),
                "data set of x": tf.data.Dataset.from_tensor_slices(X).batch(BATCH),
            },
        ),
    ],
    listed: [
        (
            ([X, B], [P, Y]),
            {
                "lists": ([X, B], [P, Y]),
                "tuples": ((X, B), (P, Y)),
                "by name": (INPUTS, TARGETS),
                "inputs by name": (INPUTS, [P, Y]),
                "data set": dataset((X, B), (P, Y)),
                "data set by name": dataset(INPUTS, TARGETS),
                "PyDataset": Batches(tupled, [X, B], [P, Y]),
                "generator": lambda: iter(Batches(tupled, INPUTS, TARGETS)),
                "x and y by name": {"x": INPUTS, "y": (P, Y)},
            },
        ),
        (
            ([X, B], [P, Y], [W, V]),
            {
                "a weight for each output": ((X, B), (P, Y), (W, V)),
                "data set": dataset(INPUTS, (P, Y), (W, V)),
            },
        ),
        (([X, B], [P, Y], [W, None]), {"a weight for one output": ([X, B], [P, Y], [W, None])}),
        (
            ([X, B], [P, Y], W),
            {
                "one weight": ([X, B], [P, Y], W),
                "data set": dataset((X, B), (P, Y), W),
            },
        ),
    ],
    named: [
        (
            (INPUTS, TARGETS, WEIGHTS),
            {
                "by name": (INPUTS, TARGETS, WEIGHTS),
                "data set": dataset(INPUTS, TARGETS, WEIGHTS),
                "PyDataset": Batches(tupled, INPUTS, TARGETS, WEIGHTS),
            },
        ),
        ((INPUTS, TARGETS), {"in order": ([X, B], [P, Y]), "by name": (INPUTS, TARGETS)}),
    ],
    nested: [
        (
            ([X, {"b": B}], P),
            {
                "nested": ([X, {"b": B}], P),
                "tuples": ((X, {"b": B}), P),
                "data set": dataset((X, {"b": B}), P),
            },
        ),
    ],
}
CASES = [
    pytest.param(model, number, form, id=f"{model.__name__}-{number}-{form}")
    for model, fits in FORMS.items()
    for number, (_, forms) in enumerate(fits)
    for form in forms
]


@cache
def process(model):
    return fl.build_weighted_fed_avg(
        model, aggregator=fl.PlainSum(), batch_size=BATCH, shuffle=False
    )


@cache
def fitted(model, number):
    """The weights after `fit`, and its metrics."""
    x, y, weights = [*FORMS[model][number][0], None, None][:3]
    alone = model()
    alone.run_eagerly = True
    history = alone.fit(
        x, y, sample_weight=weights, batch_size=BATCH, shuffle=False, verbose=0
    ).history
    metrics = {name: values[-1] for name, values in history.items()}
    return fl.ModelWeights.from_model(alone).to_vector(), metrics


# `fit` says it too, of a list of one input.
@pytest.mark.filterwarnings("ignore:(?s).*The structure of `inputs` doesn't match:UserWarning")
@pytest.mark.parametrize(("model", "number", "form"), CASES)
def test_one_client_is_fit_in_every_form(model, number, form):
    expected, history = fitted(model, number)
    state, metrics = process(model).next(
        process(model).initialize(), [FORMS[model][number][1][form]]
    )
    np.testing.assert_allclose(state.weights.to_vector(), expected, rtol=1e-5, atol=2e-6)
    seen = metrics["client_work"]["train"]
    assert (seen.pop("num_examples"), seen.pop("num_batches")) == (N, 3)
    assert {name: seen[name] for name in history} == pytest.approx(history, rel=1e-4)


@pytest.mark.parametrize("form", ["PyDataset", "generator", "(x,)"])
def test_evaluation_is_evaluate_in_every_form(form):
    model, number = (autoencoder, 0) if form == "(x,)" else (linear, 1)
    alone = model()
    x, y, weights = [*FORMS[model][number][0], None, None][:3]
    expected = alone.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    evaluate = fl.build_fed_eval(model, aggregator=fl.PlainSum())
    weights = fl.ModelWeights.from_model(alone)
    seen = evaluate(weights, [FORMS[model][number][1][form]])["client_work"]["eval"]
    assert {name: seen[name] for name in expected} == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("model", "rate", "x", "y"),
    [(autoencoder, 0.1, X, None), (listed, 0.05, [X, B], [P, Y])],
    ids=["x alone", "several"],
)
def test_fed_sgd_is_one_step_of_keras(model, rate, x, y):
    alone = model()
    alone.train_on_batch(x, y)
    step = fl.build_fed_sgd(model, lambda: keras.optimizers.SGD(rate), aggregator=fl.PlainSum())
    state = step.next(step.initialize(), [(x, y)]).state
    expected = fl.ModelWeights.from_model(alone).to_vector()
    np.testing.assert_allclose(state.weights.to_vector(), expected, rtol=1e-5, atol=2e-6)


def test_a_py_dataset_goes_through_one_epoch_a_round():
    batches = Batches(tupled, X, Y)
    state = process(linear).initialize()
    for epoch in (1, 2):
        state = process(linear).next(state, [batches]).state
        assert batches.epochs == [epoch, epoch]


def test_labels_of_two_ranks_in_one_process_are_the_same_labels():
    """Each rank has a trace of its own: in one for both, TensorFlow would know no rank."""
    twice = fl.build_weighted_fed_avg(linear, aggregator=fl.PlainSum(), shuffle=False)
    clients = [arrays(n, seed=n) for n in (20, 13, 9)]
    expected = twice.next(twice.initialize(), clients).state.weights.to_vector()
    mixed = [(x, y[:, None] if i % 2 else y) for i, (x, y) in enumerate(clients)]
    for _ in range(2):
        seen = twice.next(twice.initialize(), mixed).state.weights.to_vector()
        np.testing.assert_array_equal(seen, expected)
    assert twice._trainer.trace_count == 2


def generator():
    yield X, Y


class Endless(Batches):
    num_batches = None


REFUSED = {
    "a generator": (
        generator(),
        "a generator, which can be read once, expected a function that makes a new",
    ),
    "None": (None, r"client data of type NoneType, expected \(x, y"),
    "a function of nothing": (lambda: None, "client data of type NoneType"),
    "a function of a function": (lambda: generator, "a function that makes a function"),
    "an endless PyDataset": (Endless(tupled, X, Y), "the PyDataset is infinite"),
    "arrays in a list": ([X, Y], r"a list of arrays, expected \(x, y\) as a tuple"),
    "weights without y": ((X, None, W), "an element without y"),
    "no x": ((None, Y), "an element without x"),
    "inputs by name alone": (INPUTS, r"the names a, b, expected x, y.*\(\{...\}, y\)"),
    "four parts": ((X, Y, W, W), "4 parts"),
    "nothing at all": (((), Y), "x has 0 arrays, expected 2 arrays"),
    "one array for two inputs": ((X, (P, Y)), r"x has 1 array, expected 2 arrays"),
    "three": (([X, B, B], (P, Y)), r"x has 3 arrays, expected 2 arrays"),
    "the other order": (([B, X], (P, Y)), r"x\[0\] has shape \(examples, 3\)"),
    "other names": (({"a": X, "c": B}, (P, Y)), "x has the names a, c, expected a, b"),
    "by name, of another shape": (({"a": X, "b": X}, (P, Y)), r"x\['b'\] has shape"),
    "x alone": (((X, B),), "x without y, expected y for the model's loss and metrics"),
    "a missing input": (([X, None], (P, Y)), "None in place of an array"),
    "weights of another structure": (
        ([X, B], [P, Y], {"p": W, "q": V}),
        "sample_weight has another structure than y",
    ),
    "wide weights": (([X, B], [P, Y], np.ones((N, 2))), "one sample_weight of several numbers"),
    # where Keras has a KeyError
    "weights by name": ((INPUTS, TARGETS, WEIGHTS), "y by name with sample weights, .* in order"),
    "sparse tensors": (
        tf.data.Dataset.from_tensors((tf.sparse.from_dense(X), Y)),
        "a dataset of sparse or ragged tensors, expected dense tensors",
    ),
    "rows in a list": ((list(X[:5]), Y), r"different numbers of rows.* \(a list of arrays is one"),
    "an error inside of a data set": (
        tf.data.Dataset.from_tensors((X, Y)).map(
            lambda x, y: (x, tf.debugging.check_numerics(x / 0, "no"))
        ),
        "the dataset cannot be read",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_says_what_was_expected(data, message):
    with pytest.raises(fl.errors.DataError, match=rf"^client 0: .*{message}") as caught:
        process(listed).next(process(listed).initialize(), [data])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [X, tf.constant(X), Batches(tupled, X), "words", {"a": X}])
def test_data_of_one_client_are_no_list_of_clients(data):
    with pytest.raises(
        fl.errors.DataError, match=r"client_data is a \w+, expected a list with each client's"
    ):
        process(autoencoder).next(process(autoencoder).initialize(), data)


def test_client_data_have_x_alone_weights_and_several_inputs():
    parts = [np.arange(12), np.arange(12, N)]
    clients = ClientData.from_partition(({"a": X, "b": B}, (P, Y), W), parts)
    assert [clients.count(c) for c in clients.client_ids] == [12, 8]
    inputs, targets, weights = clients.arrays("1")
    np.testing.assert_array_equal(inputs["b"], B[12:])
    np.testing.assert_array_equal(targets[1], Y[12:])
    np.testing.assert_array_equal(weights, W[12:])
    np.testing.assert_array_equal(clients.pooled()[0]["a"], X)
    read = ClientData(["one"], lambda client: {"x": INPUTS, "y": (P, Y), "sample_weight": W})
    assert read.count("one") == N
    expected = process(listed).next(process(listed).initialize(), [read.arrays("one")]).state
    seen = (
        process(listed)
        .next(process(listed).initialize(), [read.create_dataset("one", batch_size=BATCH)])
        .state
    )
    np.testing.assert_array_equal(seen.weights.to_vector(), expected.weights.to_vector())
    assert ClientData.from_partition((X,), parts).arrays("0")[0].shape == (12, 4)
    with pytest.raises(fl.errors.DataError, match="examples of 4 parts"):
        ClientData.from_partition((X, Y, W, W), parts)
    with pytest.raises(fl.errors.DataError, match="the names label, pixels, expected x, y"):
        ClientData(["one"], lambda client: {"label": Y, "pixels": X}).arrays("one")


def test_masked_inputs_are_refused_in_every_structure():
    masked = np.ma.masked_array(X, X > 0)
    for data in (({"a": masked}, Y), ([X, masked], Y), lambda: (masked, Y)):
        with pytest.raises(fl.errors.DataError, match="masked values"):
            read_examples(data)
    with pytest.raises(fl.errors.DataError, match="masked values"):
        ClientData(["one"], lambda client: {"x": {"a": masked}, "y": Y}).arrays("one")
