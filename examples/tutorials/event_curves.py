"""What TensorBoard would show of a folder of events: its scalars, and a picture of two of them.

python examples/tutorials/event_curves.py logs --figure curves.png
"""

from pathlib import Path

import arguments
import figures

DRAWN = ("train/loss", "train/sparse_categorical_accuracy")


def scalars(folder):
    """{name: values by round} of the event files in a folder."""
    import tensorflow as tf

    found = {}
    for path in sorted(Path(folder).glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            for value in tf.compat.v1.Event.FromString(record).summary.value:
                found.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    return found


def main(argv=None):
    parser = arguments.parser(__doc__)
    parser.add_argument("folder", help="what --logdir of a tutorial named")
    options = parser.parse_args(argv)
    found = scalars(options.folder)
    if not found:
        raise SystemExit(f"{options.folder} has no events, expected what --logdir named")
    for name, values in found.items():
        print(f"{name:38s} {len(values):3d} rounds, the last {values[-1]:.6g}")
    if options.figure:
        figures.curves(options.figure, {name: {"secure": found[name]} for name in DRAWN})
    return found


if __name__ == "__main__":
    main()
