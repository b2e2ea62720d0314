"""What the SuperLink runs."""

from fl.flower.server_app import server_app
from regression import task

app = server_app(task.Regression, task.examples)
