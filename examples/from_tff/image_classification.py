"""Federated learning for image classification: other clients each round, watched in TensorBoard.

With TensorFlow Federated 0.87:

    python image_classification.py --logdir logs
"""

import argparse
import collections

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

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
    return tf.keras.Sequential(
        [
            tf.keras.layers.InputLayer(input_shape=(784,)),
            tf.keras.layers.Dense(10, kernel_initializer="zeros"),
            tf.keras.layers.Softmax(),
        ]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--logdir", help="where TensorBoard will look")
    options = parser.parse_args(arguments)

    emnist_train, emnist_test = tff.simulation.datasets.emnist.load_data()
    example = preprocess(emnist_train.create_tf_dataset_for_client(emnist_train.client_ids[0]))

    def model_fn():
        return tff.learning.models.from_keras_model(
            create_keras_model(),
            input_spec=example.element_spec,
            loss=tf.keras.losses.SparseCategoricalCrossentropy(),
            metrics=[tf.keras.metrics.SparseCategoricalAccuracy()],
        )

    training_process = tff.learning.algorithms.build_weighted_fed_avg(
        model_fn,
        client_optimizer_fn=tff.learning.optimizers.build_sgdm(learning_rate=0.02),
        server_optimizer_fn=tff.learning.optimizers.build_sgdm(learning_rate=1.0),
    )
    state = training_process.initialize()
    writer = tf.summary.create_file_writer(options.logdir) if options.logdir else None

    rng = np.random.default_rng(0)
    for round_num in range(1, options.rounds + 1):
        sample = rng.choice(emnist_train.client_ids, NUM_CLIENTS, replace=False)
        result = training_process.next(state, make_federated_data(emnist_train, sample))
        state = result.state
        metrics = result.metrics["client_work"]["train"]
        accuracy = metrics["sparse_categorical_accuracy"]
        print(f"round {round_num:2d}  loss {metrics['loss']:.4f}  accuracy {accuracy:.4f}")
        if writer:
            with writer.as_default():
                for name, value in metrics.items():
                    tf.summary.scalar(name, value, step=round_num)

    evaluation_process = tff.learning.algorithms.build_fed_eval(model_fn)
    evaluation_state = evaluation_process.set_model_weights(
        evaluation_process.initialize(), training_process.get_model_weights(state)
    )
    test_data = make_federated_data(emnist_test, emnist_test.client_ids[:NUM_CLIENTS])
    output = evaluation_process.next(evaluation_state, test_data)
    metrics = output.metrics["client_work"]["eval"]["current_round_metrics"]
    accuracy = metrics["sparse_categorical_accuracy"]
    print(f"test      loss {metrics['loss']:.4f}  accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
