"""Pieces of distributed differential privacy: noise of the clients, encodings, accounts.

    >>> encoding = fl.privacy.fitted_encoding(
    ...     fl.privacy.Rotation(1000, seed=b"round 7"),
    ...     clip=1.0, bits=16, clients=100, noise_multiplier=1.0, mechanism="skellam",
    ... )
    >>> words = encoding.encode(np.ones(1000), fl.privacy.RandomBits.from_system())
    >>> words.dtype.name, encoding.wrap_bound(100) < 2**-20
    ('uint16', True)

`fl.SecureSum(coding=fl.aggregators.DistributedNoise(...))` uses them (docs/privacy.md).  Modules:
`random_bits` is where noise comes from, `bernoulli` exact coins of it, `discrete_gaussian` and
`skellam` the two noises, `noise` what each client adds; `rotation`, `kept` and `rounding` make
integers of an update, `sensitivity` says how far these move a sum, `ring` makes words of integers,
`encoding` puts all together and `fitting` finds its scale; `mechanisms` has the Rényi divergences,
`subsampling` what sampling is worth, `release` what several sums cost together, `accounting` ε and
noise multipliers, `ledger` the account of a training.  May be imported from it: what is in
`__all__`.  It uses `errors` and `population`.
"""

from fl.privacy.accounting import epsilon, noise_multiplier
from fl.privacy.discrete_gaussian import DiscreteGaussianNoise
from fl.privacy.encoding import NoisyEncoding
from fl.privacy.fitting import fitted_encoding
from fl.privacy.kept import Kept
from fl.privacy.ledger import Ledger
from fl.privacy.noise import Noise, share_variance
from fl.privacy.random_bits import RandomBits
from fl.privacy.release import Release
from fl.privacy.rotation import Rotation
from fl.privacy.rounding import ConditionalRounding
from fl.privacy.sensitivity import Sensitivity
from fl.privacy.skellam import SkellamNoise
from fl.privacy.subsampling import hidden_rate

__all__ = [
    "ConditionalRounding",
    "DiscreteGaussianNoise",
    "Kept",
    "Ledger",
    "Noise",
    "NoisyEncoding",
    "RandomBits",
    "Release",
    "Rotation",
    "Sensitivity",
    "SkellamNoise",
    "epsilon",
    "fitted_encoding",
    "hidden_rate",
    "noise_multiplier",
    "share_variance",
]
