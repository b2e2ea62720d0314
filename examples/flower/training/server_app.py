"""What the SuperLink runs."""

from fl.flower.server_app import server_app
from training import task


def save(process, rounds):
    """The model, when all rounds are over."""
    process.get_model(rounds.state).save(rounds.directory.model)


app = server_app(task.build, task.examples, finished=save)
