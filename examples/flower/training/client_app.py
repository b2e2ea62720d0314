"""What a SuperNode runs."""

from fl.flower.client_app import client_app
from training import task

app = client_app({"training": task.build}, task.data)
