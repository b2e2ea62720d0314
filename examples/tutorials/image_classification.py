"""Federated learning for image classification: other clients each round, watched in TensorBoard.

With this package:

    python image_classification.py --data-dir data --logdir logs
"""

import argparse
import collections

import keras
import numpy as np
import tensorflow as tf
import writers

import fl

NUM_CLIENTS = 10
NUM_EPOCHS = 5
BATCH_SIZE = 20
SHUFFLE_BUFFER = 100


def preprocess(dataset):
    def batch_format_fn(element):
        pixels = tf.reshape(element["pixels"], [-1, 784])
        return collections.OrderedDict(x=pixels, y=tf.reshape(element["label"], [-1, 1]))

    dataset = dataset.repeat(NUM_EPOCHS).shuffle(SHUFFLE_BUFFER, seed=1)
    return dataset.batch(BATCH_SIZE).map(batch_format_fn)


def make_federated_data(client_data, client_ids):
    return [preprocess(client_data.create_tf_dataset_for_client(x)) for x in client_ids]


def create_keras_model():
    return keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(10, kernel_initializer="zeros"),
            keras.layers.Softmax(),
        ]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="EMNIST, or MNIST with its writers; else small digits")
    parser.add_argument("--sum", choices=["secure", "plain"], default="secure")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--logdir", help="where TensorBoard will look")
    options = parser.parse_args(arguments)

    emnist_train, emnist_test = writers.load_data(options.data_dir)

    def model_fn():
        return fl.from_keras_model(
            create_keras_model(),
            loss=keras.losses.SparseCategoricalCrossentropy(),
            metrics=[keras.metrics.SparseCategoricalAccuracy()],
        )

    training_process = fl.build_weighted_fed_avg(
        model_fn,
        client_optimizer_fn=lambda: keras.optimizers.SGD(learning_rate=0.02),
        server_optimizer_fn=lambda: keras.optimizers.SGD(learning_rate=1.0),
        aggregator=fl.SecureSum() if options.sum == "secure" else fl.PlainSum(),
    )
    state = training_process.initialize()
    events = fl.experiment.Events(options.logdir) if options.logdir else None

    rng = np.random.default_rng(0)
    for round_num in range(1, options.rounds + 1):
        sample = rng.choice(emnist_train.client_ids, NUM_CLIENTS, replace=False)
        result = training_process.next(state, make_federated_data(emnist_train, sample))
        state = result.state
        metrics = result.metrics["client_work"]["train"]
        accuracy = metrics["sparse_categorical_accuracy"]
        print(f"round {round_num:2d}  loss {metrics['loss']:.4f}  accuracy {accuracy:.4f}")
        if events:
            events.write(result.metrics)

    evaluation_process = fl.build_fed_eval(model_fn)
    evaluation_state = evaluation_process.set_model_weights(
        evaluation_process.initialize(), training_process.get_model_weights(state)
    )
    test_data = make_federated_data(emnist_test, emnist_test.client_ids[:NUM_CLIENTS])
    output = evaluation_process.next(evaluation_state, test_data)
    metrics = output.metrics["client_work"]["eval"]
    accuracy = metrics["sparse_categorical_accuracy"]
    print(f"test      loss {metrics['loss']:.4f}  accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
