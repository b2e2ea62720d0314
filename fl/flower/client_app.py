"""A ClientApp around a node: Flower starts a process for each message, the folder is the memory.

The folder of the node is in the configuration of its SuperNode, which the server cannot set:

    flower-supernode --node-config 'federation="/var/lib/fl/node-3"' ...

What goes wrong in the node's own code is written to its log. Flower would send the text of an
exception to the server, and the text of one in code that reads data may hold data.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fl.errors import FLError
from fl.flower import federation
from fl.flower.carried import KIND, pack, unpack
from fl.flower.node import Node
from fl.flower.records import Refusal, write
from fl.flower.requirement import require_flower
from fl.population.devices import Status
from fl.process.client_half import ClientHalf

if TYPE_CHECKING:
    from flwr.app import Context, Message
    from flwr.clientapp import ClientApp

    from fl.flower.rounds import Process

_log = logging.getLogger("fl.flower")


def client_app(
    processes: Mapping[str, Callable[[], Process]],
    data: Callable[[int], object],
    folders: str | Path | None = None,
    status: Callable[[], Status] | None = None,
) -> ClientApp:
    """A ClientApp that answers for the node whose federation is in the SuperNode's configuration.

    processes: for each kind of work ("training", "evaluation", "k-means") what builds the process;
        called only when there is work, so that the other messages need no TensorFlow.
    data: the examples of the client with this id.
    folders: under a simulation, which has no configuration, where the nodes' folders are.
    status: of this device, for a federation or a server that asks for conditions; it stays here.
    """
    require_flower()
    from flwr.app import Message
    from flwr.clientapp import ClientApp

    app = ClientApp()

    def answer(message: Message, context: Context) -> Message:
        def node() -> Node:
            agreed = federation.read(_folder(context, folders))
            client = agreed.consent.client if agreed.consent else -1
            halves = {kind: _half_of(build) for kind, build in processes.items()}
            return Node(agreed, halves, lambda: data(client), status)

        return Message(pack(_answer(message, node)), reply_to=message)

    app.query(KIND.partition(".")[2])(answer)
    return app


def _answer(message: Message, node: Callable[[], Node]) -> bytes:
    """The answer of a node, whatever goes wrong."""
    try:
        return node().answer(unpack(message.content))
    except Exception as error:  # noqa: BLE001  whatever it is, its text must not reach the server
        _log.exception("no answer, because of an error in this node")
        return write(Refusal(type(error).__name__))


def _folder(context: Context, folders: str | Path | None) -> Path:
    """Where this node's federation is."""
    if isinstance(path := context.node_config.get("federation"), str):
        return Path(path)
    partition = context.node_config.get("partition-id")
    if folders is None or partition is None:
        raise FLError("a SuperNode without federation=..., expected the folder of its federation")
    return Path(folders) / f"node-{partition}"


def _half_of(build: Callable[[], Process]) -> Callable[[], ClientHalf]:
    return lambda: build().client_half
