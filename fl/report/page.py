"""One HTML page of some runs, which carries everything it needs and asks no network for anything.

The charts are plotly.js's, which is inside the page; tables and text are jinja2's, which escapes
whatever comes from settings and names.  A policy in the page's head (Content-Security-Policy) lets
the browser run the page's own two scripts, known by their SHA-256, and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fl.errors import ReportError
from fl.experiment.checkpoint import write_atomically
from fl.report import cost_figures, figures, numbers, tables
from fl.report.charts import Figure
from fl.report.runs import Run, pairs
from fl.report.tables import Table

if TYPE_CHECKING:
    from jinja2 import Template

_NEEDED = ("plotly", "jinja2")


def write_page(runs: Sequence[Run], output: str | Path) -> Path:
    """Write the page of these runs, about 5 MB; its path.

    A page that is there is replaced. Raises ReportError for no run or one without rounds, an output
    that is a folder or a file that is no page, or without the extra `report`; OSError where it
    cannot be written.
    """
    path = Path(output)
    check_output(path)
    if not runs:
        raise ReportError("no runs, expected one at least")
    for run in runs:
        if not run.rounds:
            raise ReportError(f"{run.name} has no rounds, expected one at least")
    content = _html(runs)
    # A link stays one: what it leads to is replaced.
    write_atomically(path.resolve(), lambda file: file.write(content.encode()))
    return path


def require_libraries() -> None:
    """Raise ReportError without what a page is made with."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        raise ReportError(f"a page needs {names}: pip install 'secagg[report]'")


def check_output(path: Path) -> None:
    """Raise ReportError where no page can be made, or not there: before the work is done."""
    require_libraries()
    if path.is_dir():
        raise ReportError(f"{path} is a folder, expected a file to write the page to")
    if not path.parent.is_dir():
        raise ReportError(f"{path.parent} is no folder, expected one to write {path.name} into")
    if path.exists() and not _is_page(path):
        raise ReportError(f"{path} is there and is no page, expected another name")


def _is_page(path: Path) -> bool:
    """Whether it is a file that begins as our pages do: nothing else is replaced."""
    start = _resource("page.html").partition("\n")[0].encode()
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(start)) == start


def _html(runs: Sequence[Run]) -> str:
    library = str(import_module("plotly.offline").get_plotlyjs())
    script = _resource("page.js")
    sections = _sections(runs)
    return str(
        _template().render(
            title=", ".join(run.name for run in runs),
            style=_resource("page.css"),
            library=library,
            script=script,
            hashes=[_sha256(library), _sha256(script)],
            charts=_charts(sections),
            **sections,
        )
    )


def _sections(runs: Sequence[Run]) -> dict[str, Any]:
    """What the template shows: charts and tables by name."""
    metric = numbers.metric_of(runs)
    metrics = [*([metric] if metric else []), "loss"]
    summed = [run for run in runs if run.summed]
    return {
        "overview": tables.overview(runs),
        "curves": [figures.curves(runs, metric) for metric in metrics],
        "pairs": [_pair(secure, plain) for secure, plain in pairs(runs)],
        "drops": [_drops(run) for run in runs],
        "failed": tables.failed(runs),
        "costs": [cost_figures.seconds(summed), cost_figures.sizes(summed)] if summed else [],
        "cost_tables": [(run.name, tables.costs(run)) for run in runs],
        "seen": [(run, list(figures.seen(run.seen))) for run in runs if run.seen],
        "in_the_clear": [run.name for run in runs if run.kind == "plain"],
        "settings": tables.settings(runs),
    }


def _pair(secure: Run, plain: Run) -> tuple[str, Table, Figure]:
    chart = figures.difference(secure, plain, "loss")
    return f"{secure.name} and {plain.name}", tables.beside(secure, plain), chart


def _drops(run: Run) -> tuple[str, Table, Figure | None]:
    table = tables.dropped(run)
    shown = table.rows or len(run.summed) < len(run.rounds)
    return run.name, table, figures.drops(run) if shown else None


def _charts(sections: Mapping[str, Any]) -> list[Figure]:
    """All charts, each of which is given the number of its place on the page."""
    found: list[Figure] = []

    def walk(part: object) -> None:
        if isinstance(part, dict) and "layout" in part:
            part["id"] = len(found)
            found.append(part)  # type: ignore[arg-type]
        elif isinstance(part, list | tuple):
            for each in part:
                walk(each)

    for part in sections.values():
        walk(part)
    return found


def _template() -> Template:
    jinja2 = import_module("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template: Template = environment.get_template("page.html")
    return template


def _resource(name: str) -> str:
    return (resources.files("fl.report") / name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    """As a Content-Security-Policy names a script."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
