"""Local and federated averages of temperatures: sensors that keep their readings to themselves.

python examples/tutorials/temperatures.py
"""

import arguments
import figures
import numpy as np

from fl import analytics

READINGS = {
    "kitchen": [68.0, 70.0],
    "hall": [71.0],
    "attic": [68.0, 72.0, 70.0],
    "cellar": [61.5, 62.0, 61.0, 61.5],
    "porch": [55.0, 57.5],
}
THRESHOLD = 67.5


def main(argv=None):
    options = arguments.parser(__doc__).parse_args(argv)
    readings = list(READINGS.values())

    for place, values in READINGS.items():  # what each sensor knows of itself, and nobody else
        print(f"{place:8s} {len(values)} readings, local average {np.mean(values):6.2f}")

    of_averages = analytics.secure_mean(readings)
    of_readings = analytics.secure_weighted_mean(readings)
    print(f"average of the local averages  {of_averages.value:.4f}")
    print(f"average of all readings        {of_readings.value:.4f}")

    over = [[float(value > THRESHOLD) for value in values] for values in readings]
    print(f"readings above {THRESHOLD}            {analytics.secure_sum(over).value:.0f}")
    print(f"share of them                  {analytics.secure_weighted_mean(over).value:.4f}")

    median = analytics.secure_quantile(readings, 0.5, low=0, high=120, tolerance=0.1)
    print(f"half of them do not exceed     {median.value:.2f} ± {median.error_bound:.2f}")

    without = analytics.secure_mean(readings, dropouts={4: 2})  # gone before it sends anything
    print(f"the porch is not heard from    {without.value:.4f}")

    if options.figure:
        averages = {place: float(np.mean(values)) for place, values in READINGS.items()}
        title = "local averages, and their mean"
        figures.bars(options.figure, {title: (averages, float(of_averages.value))})
    return float(of_averages.value)


if __name__ == "__main__":
    main()
