"""What the SuperLink runs."""

from fl.flower.server_app import server_app
from tests.helpers import regression

app = server_app(regression.Regression, regression.examples)
