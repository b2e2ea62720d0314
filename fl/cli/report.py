"""`fl report`: one page of some runs. It imports no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fl.cli.output import AsJson, output


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="The directories of runs of `fl train`.", metavar="RUN_DIR")
    ],
    page: Annotated[
        Path, typer.Option("--output", help="The page to write, one HTML file.")
    ] = Path("report.html"),
    as_json: AsJson = False,
) -> None:
    """Write one HTML page that shows runs beside each other, and needs no network."""
    with output(as_json=as_json) as out:
        with out.progress.status("reading"):
            from fl.report.page import check_output, write_page
            from fl.report.runs import read_runs

            check_output(page)
            read = read_runs(runs)
            write_page(read, page)
        out.result = {"page": str(page), "runs": [run.name for run in read]}
        out.say(f"wrote {page}")
