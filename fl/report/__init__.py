"""What people look at: the page of some runs, and a training's history in a notebook.

    >>> fl.report.read_run(tmp_path)
    Traceback (most recent call last):
    fl.errors.ReportError: ...: no settings.json, expected the directory of a run of `fl train`

Modules: `runs` reads run directories, `numbers` takes out of a round what is shown; `charts` is the
layout of charts, which `figures` and `cost_figures` make, `tables` makes tables, `page` the page of
all; `history` is the rounds of a training for a notebook.  May be imported from it: what is in
`__all__`, and the rest by the command.  It uses `errors`, `experiment`, `process` and `progress`.
"""

from fl.report.history import History
from fl.report.page import write_page
from fl.report.runs import Run, read_run

__all__ = ["History", "Run", "read_run", "write_page"]
