"""One of four clients puts into a secure sum what no honest client gives."""

import numpy as np

from fl.aggregators.codings.encoding import Encoding
from fl.aggregators.contribution import Contribution, Metric
from fl.aggregators.interface import Session
from secagg import ExactFloats

METRICS = (Metric("examples", 1, 9), Metric("loss", 1))
WEIGHT, CLIPPED, NON_FINITE, MALFORMED, FAILED, EXAMPLES = 0, 1, 2, 5, 6, 8
"""Where they stand in "counts"."""

HONEST = Encoding.encode
DIGIT = 2 ** ExactFloats(4).digit_bits - 1  # the largest that one of four clients gives


def lies(monkeypatch, vector, word, value):
    """Client 0 sends `value` more than it should as one word of a vector."""

    def encode(self, submission, rng):
        vectors = HONEST(self, submission, rng)
        if not lies.told:
            lies.told = True
            bits = vectors[vector].dtype.itemsize * 8
            vectors[vector][word] = (int(vectors[vector][word]) + value) % 2**bits
        return vectors

    lies.told = False
    monkeypatch.setattr(Encoding, "encode", encode)


def contributions(delta=0.5, weight=25):
    return [
        Contribution(
            np.float32([delta, -delta]), weight, np.float64([5, 0.25]), np.float32([1e3, 2.0])
        )
        for _ in range(4)
    ]


def session(**changes):
    return Session(0, 0, [bytes(32)] * 4, metrics=METRICS, **changes)


LIES = {
    "a weight of -85: Σw is 15, not 100": ("counts", WEIGHT, -85 - 25, "weights that sum to"),
    "a weight of 2^20": ("counts", WEIGHT, 2**20, "weights that sum to"),
    "more than four that are not finite": ("counts", NON_FINITE, 5, "more clients than the 4"),
    "more than four that are malformed": ("counts", MALFORMED, 5, "more clients than the 4"),
    "a count below zero": ("counts", NON_FINITE, -1, "more clients than the 4"),
    "a metric that five have not": ("counts", FAILED + 1, 5, "more clients than the 4"),
    "more clipped than there are": ("counts", CLIPPED, 9, "9 coordinates clipped"),
    "more examples than four have": ("counts", EXAMPLES, 9 * 4, "a count of 'examples'"),
    "examples below zero": ("counts", EXAMPLES, -21, "a count of 'examples'"),
    "update words near 2^31": ("update", 0, 2**31 - 2**24, "updates beyond the clip"),
    "and below zero": ("update", 1, -(2**31) + 2**24, "updates beyond the clip"),
    "a statistic beyond its digits": ("exact", 0, 4 * DIGIT + 1, "statistics beyond the range"),
    "one beyond the largest float32": ("exact", -1, 2**62, "statistics beyond the range"),
    "a loss beyond its digits": ("metrics", 0, -4 * DIGIT - 1, "metrics beyond the range"),
    "a loss beyond the largest float32": ("metrics", -1, 4 * DIGIT - 4, "metrics beyond the range"),
}
