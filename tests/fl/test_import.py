"""What `import fl` costs and gives: it is the front page, and imports what it names when used."""

import subprocess
import sys

import pytest

from tests.helpers.command_line import environment

AT_THE_START = ["fl.startup", "fl.startup.quiet_tensorflow", "fl.startup.requirement"]


def printed(code: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()
    )
    return done.stdout.strip()


@pytest.mark.parametrize("command_line", ["['python']", "['fl', 'train']", "['-m']"])
def test_import_fl_imports_neither_numpy_nor_tensorflow_whatever_the_command_line(command_line):
    code = (
        f"import sys; sys.argv = {command_line}; import fl; dir(fl); "
        "print([m for m in ('numpy', 'tensorflow', 'keras') if m in sys.modules])"
    )
    assert printed(code) == "[]"


def test_from_fl_import_everything():
    code = "import fl; from fl import *; print(sorted(fl.__all__) == fl.__all__, PlainSum.__name__)"
    assert printed(code) == "True PlainSum"


def test_what_needs_no_tensorflow_works_without_it():
    code = (
        "import importlib.util as u; find = u.find_spec; "
        "u.find_spec = lambda name: None if name == 'tensorflow' else find(name); "
        "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; import fl; "
        "fl.errors; fl.population; fl.aggregators; print(fl.analytics.secure_sum([[1], [2]]).value)"
        "\ntry: fl.SecureSum\nexcept ImportError as error: print(error)"
    )
    assert printed(code) == "3.0\nfl needs TensorFlow: pip install 'secagg[fl]'"


def test_both_apps_of_flower_import_no_tensorflow_until_there_is_work():
    """Flower starts a process for each message, and a file may have both apps."""
    code = (
        "import sys, fl.flower.client_app, fl.flower.server_app; "
        "print([m for m in ('tensorflow', 'keras', 'sklearn') if m in sys.modules])"
    )
    assert printed(code) == "[]"


def test_a_command_s_first_module_imports_only_what_python_has():
    code = (
        "import os, signal, sys; before = set(sys.modules); from fl.cli import starting; "
        "print(sorted(set(sys.modules) - before))"
    )
    expected = ["fl", "fl.cli", "fl.cli.starting", *AT_THE_START]
    assert printed(code) == str(expected)
