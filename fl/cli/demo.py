"""The command `fl demo`. TensorFlow is imported when its settings are accepted."""

from __future__ import annotations

from fl.cli import demo_render as render
from fl.cli.demo_settings import Settings
from fl.cli.output import AsJson, output


def demo(settings: Settings, as_json: AsJson = False) -> None:
    """Train on handwritten digits, secure and plain side by side, with clients that drop out."""
    with output(as_json=as_json) as out:
        with out.starting():
            from fl.cli.demo_side_by_side import Demo

        with out.bars() as bars:
            demonstration = Demo(settings, bars.trained, bars.summed)
            out.say(render.head(settings, out.room))
            for row in demonstration:
                out.say(render.line(row, out.room))
        out.show(render.comparison(demonstration.comparison))
        out.result = demonstration.comparison.as_json()
