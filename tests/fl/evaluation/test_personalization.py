"""Personalization evaluation: before and after fine-tuning, by several strategies."""

import keras
import numpy as np
import pytest

import fl
from fl.model.vector import ModelWeights
from tests.helpers.small import arrays, compiled, constant, linear, one_weight

AGGREGATORS = pytest.mark.parametrize("aggregator", [None, fl.PlainSum()], ids=["secure", "plain"])


@AGGREGATORS
def test_one_weight_by_hand(aggregator):
    # the loss is (y - w)². "whole" is a step to the training y; "half" a step half way there
    evaluate = fl.build_personalization_eval(
        one_weight,
        {
            "whole": fl.FineTune(),
            "half": fl.FineTune(lambda: keras.optimizers.SGD(0.25)),
            "twice": fl.FineTune(lambda: keras.optimizers.SGD(0.25), epochs=2),
        },
        aggregator=aggregator,
    )
    weights = ModelWeights((np.float32([[2.0]]),), ())
    data = [
        {"train": constant(6.0), "test": constant(6.0, 2)},
        {"train": constant(4.0), "test": constant(0.0, 1)},  # its training data mislead
    ]
    metrics = evaluate(weights, data)
    seen = metrics["client_work"]["eval"]
    # baseline: 16, 16 | 4.  whole: 0, 0 | 16.  half: w = 4, 3: 4, 4 | 9.  twice: w = 5, 3.5
    losses = {
        "baseline": 36 / 3,
        "whole": 16 / 3,
        "half": 17 / 3,
        "twice": (1 + 1 + 12.25) / 3,
    }
    for name, loss in losses.items():
        assert seen[name]["loss"] == pytest.approx(loss, rel=1e-6)
        assert seen[name]["num_examples"] == 3
    assert [seen[name]["improved"] for name in ("whole", "half", "twice")] == [1, 1, 1]
    assert "improved" not in seen["baseline"]
    assert metrics["aggregator"]["survivors"] == [0, 1]


def test_secure_and_plain_agree_and_dropouts_are_left_out():
    data = [{"train": arrays(20, seed=2 * n), "test": arrays(10, seed=2 * n + 1)} for n in range(4)]
    seen = []
    for aggregator in (fl.PlainSum(), fl.SecureSum()):
        evaluate = fl.build_personalization_eval(
            linear,
            {"sgd": fl.FineTune(batch_size=5, epochs=2)},
            aggregator=aggregator,
        )
        weights = ModelWeights.from_model(linear())
        seen.append(evaluate(weights, data, dropouts={2: 1})["client_work"]["eval"])
    for name in ("baseline", "sgd"):
        assert seen[0][name]["num_examples"] == 30
        assert seen[0][name] == pytest.approx(seen[1][name], rel=1e-6)
    assert seen[0]["sgd"]["loss"] < seen[0]["baseline"]["loss"]


def test_the_baseline_is_federated_evaluation_and_nobody_moves_the_weights():
    data = [{"train": arrays(8, seed=n), "test": arrays(9, seed=n)} for n in range(2)]
    model = linear()
    weights = ModelWeights.from_model(model)
    personalized = fl.build_personalization_eval(
        linear, {"sgd": fl.FineTune()}, aggregator=fl.PlainSum()
    )
    evaluate = fl.build_fed_eval(linear, aggregator=fl.PlainSum())
    expected = evaluate(weights, [d["test"] for d in data])["client_work"]["eval"]
    for _ in range(2):
        assert personalized(weights, data)["client_work"]["eval"]["baseline"] == expected


def test_what_cannot_be_evaluated_is_refused():
    strategies = {"sgd": fl.FineTune()}
    with pytest.raises(fl.errors.ModelError, match="none of them called 'baseline'"):
        fl.build_personalization_eval(one_weight, {"baseline": fl.FineTune()})
    with pytest.raises(fl.errors.ModelError, match="none of them called"):
        fl.build_personalization_eval(one_weight, {})
    with pytest.raises(fl.errors.ModelError, match="epochs is 0"):
        fl.build_personalization_eval(one_weight, {"no": fl.FineTune(epochs=0)})
    model = one_weight()
    with pytest.raises(fl.errors.ModelError, match="one model twice"):
        fl.build_personalization_eval(lambda: model, strategies)
    evaluate = fl.build_personalization_eval(one_weight, strategies)
    with pytest.raises(fl.errors.DataError, match=r'client 0: .* \{"train": \.\.\., "test"'):
        evaluate(ModelWeights.from_model(model), [constant(1.0)])
    with pytest.raises(fl.errors.ModelError, match="trainable weights of shapes"):
        evaluate(ModelWeights.from_model(linear()), [])


def test_statistics_that_fine_tuning_shrinks_are_not_lost():
    def normalising():
        keras.utils.set_random_seed(0)
        normalisation = keras.layers.BatchNormalization(momentum=0.5)
        model = compiled(
            keras.Sequential([keras.Input((4,)), normalisation, keras.layers.Dense(3)])
        )
        model.layers[0].moving_variance.assign([1e9] * 4)
        return model

    train, test = arrays(24), arrays(10, seed=1)
    evaluate = fl.build_personalization_eval(
        normalising,
        {"sgd": fl.FineTune(batch_size=8, epochs=20, shuffle=False)},
        aggregator=fl.PlainSum(),
    )
    data = [{"train": train, "test": test}]
    seen = evaluate(ModelWeights.from_model(normalising()), data)["client_work"]["eval"]["sgd"]
    alone = normalising()
    alone.fit(*train, batch_size=8, epochs=20, shuffle=False, verbose=0)
    assert seen["loss"] == pytest.approx(alone.evaluate(*test, verbose=0)[0], rel=1e-4)
