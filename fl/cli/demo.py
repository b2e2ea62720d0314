"""The command `fl demo`. TensorFlow is imported when its settings are accepted."""

from __future__ import annotations

from fl.cli import demo_render as render
from fl.cli.demo_settings import Page, Settings
from fl.cli.output import AsJson, output


def demo(settings: Settings, page: Page = None, as_json: AsJson = False) -> None:
    """Train on handwritten digits, secure and plain side by side, with clients that drop out."""
    with output(as_json=as_json) as out:
        if page is not None:
            from fl.report.page import check_output

            check_output(page)
        with out.starting():
            from fl.cli.demo_side_by_side import Demo

        with out.bars() as bars:
            demonstration = Demo(settings, bars.trained, bars.summed)
            out.say(render.head(settings, out.room))
            rows = []
            for row in demonstration:
                out.say(render.line(row, out.room))
                rows.append(row)
        out.show(render.comparison(demonstration.comparison))
        out.result = demonstration.comparison.as_json()
        if page is not None:
            from fl.cli.demo_report import runs_of
            from fl.report.page import write_page

            write_page(runs_of(settings, rows, demonstration.comparison), page)
            out.say(f"wrote {page}")
