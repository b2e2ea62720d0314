"""The mean salary of five colleagues who tell nobody what they earn.

python examples/tutorials/salaries.py
"""

import secrets

import arguments
import figures
import numpy as np

import secagg
from fl import analytics

SALARIES = {"Ada": 71_500, "Ben": 48_000, "Cem": 52_250, "Dora": 95_000, "Eve": 60_300}
MODULUS = 2**32


def split(number, parts):
    """Random numbers whose sum, mod 2^32, is the number: any of them but all say nothing of it."""
    shares = [secrets.randbelow(MODULUS) for _ in range(parts - 1)]
    return [*shares, (number - sum(shares)) % MODULUS]


def shared():
    """Everybody gives a share to each; everybody publishes the sum of what they were given.

    The sum, and the shares of the first."""
    dealt = [split(salary, len(SALARIES)) for salary in SALARIES.values()]
    sums = [sum(column) % MODULUS for column in zip(*dealt, strict=True)]
    for name, row in zip(SALARIES, dealt, strict=True):
        print(f"  {name:5s} splits into  " + "  ".join(f"{share:10d}" for share in row))
    print("  published sums     " + "  ".join(f"{total:10d}" for total in sums))
    return sum(sums) % MODULUS, dealt[0]


def masked():
    """The same through a server, by the protocol: it adds up masked numbers, and one is missing."""
    params = secagg.Params(len(SALARIES), [secagg.VectorSpec("salary", length=1, bits=32)])
    inputs = {u: np.array([salary], np.uint32) for u, salary in enumerate(SALARIES.values())}
    return secagg.run(params, inputs, drop={4: 2})  # Eve is gone before she sends hers


def main(argv=None):
    options = arguments.parser(__doc__).parse_args(argv)
    print("Shares, from hand to hand:")
    total, shares = shared()
    print(f"  their sum {total}, mean {total / len(SALARIES):.2f}")

    print("Masks, through a server that is not trusted:")
    result = masked()
    count, summed = len(result.survivors), int(result.sum[0])
    print(f"  {count} of {len(SALARIES)} finish: sum {summed}, mean {summed / count:.2f}")

    print("In one line:")
    mean = analytics.secure_mean(list(SALARIES.values()))
    print(f"  {mean.value:.2f} ± {mean.error_bound:.0e}")

    if options.figure:
        dealt = dict(zip(SALARIES, shares, strict=True))
        title = "Ada's shares, one for each"
        panels = {
            "what they earn, and the mean": (SALARIES, float(mean.value)),
            title: (dealt, None),
        }
        figures.bars(options.figure, panels)
    return float(mean.value)


if __name__ == "__main__":
    main()
