"""One session of Flower's SecAgg+ without its network: run by `benchmarks.peers.flower`.

All clients are neighbours, t = ⌊2n/3⌋+1, as in benchmarks.protocol.  `Grid` gives each message to
`secaggplus_mod` of the client that it is for; who drops is silent after the shares are dealt.
"""

import argparse
import json
import logging
import statistics
from collections import defaultdict
from copy import deepcopy
from time import process_time
from types import SimpleNamespace
from typing import Any

import numpy as np
from flwr.client.mod import secaggplus_mod
from flwr.common import (
    ArrayRecord,
    Code,
    ConfigRecord,
    Context,
    FitIns,
    FitRes,
    Message,
    RecordDict,
    Status,
    ndarrays_to_parameters,
)
from flwr.compat.common import recorddict_compat as compat
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.secure_aggregation.secaggplus_workflow import (
    MAIN_CONFIGS_RECORD,
    MAIN_PARAMS_RECORD,
    WorkflowKey,
    WorkflowState,
)
from flwr.supercore.task_identity import TaskIdentity

COLLECT = 2

TaskIdentity.run_id = TaskIdentity.task_id = TaskIdentity.node_id = 1  # the SuperLink would


class Grid:
    """In place of the network: answers for all clients, and notes what they cost."""

    def __init__(self, vectors: dict[int, np.ndarray], lost: set[int]) -> None:
        self.vectors, self.lost = vectors, lost
        self.contexts = {
            u: Context(run_id=1, node_id=u, node_config={}, state=RecordDict(), run_config={})
            for u in vectors
        }
        self.seconds: dict[int, float] = defaultdict(float)
        self.stage, self.network = 0, 0.0

    def send_and_receive(self, messages: list[Message], **_: Any) -> list[Message]:
        """The replies of those who are still there."""
        begun, replies = process_time(), []
        for message in messages:
            u = message.metadata.dst_node_id
            if self.stage < COLLECT or u not in self.lost:
                message = deepcopy(message)  # as a network does: clients change what they receive
                start = process_time()
                replies.append(secaggplus_mod(message, self.contexts[u], self.train))
                self.seconds[u] += process_time() - start
        self.stage += 1
        self.network += process_time() - begun
        return replies

    def train(self, message: Message, context: Context) -> Message:
        """No training: the vector is there."""
        parameters = ndarrays_to_parameters([self.vectors[context.node_id]])
        result = FitRes(Status(Code.OK, ""), parameters, 1, {})
        return Message(compat.fitres_to_recorddict(result, False), reply_to=message)


def server_context(vectors: dict[int, np.ndarray]) -> Any:
    """What the workflow asks of a strategy and a client manager, and no more."""
    parameters = ndarrays_to_parameters([np.zeros(1, np.float32)])
    proxies = [SimpleNamespace(node_id=u) for u in vectors]
    state = RecordDict()
    state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({WorkflowKey.CURRENT_ROUND: 1})
    state.array_records[MAIN_PARAMS_RECORD] = ArrayRecord([np.zeros(1, np.float32)])
    collected: list[Any] = []

    def aggregate_fit(_: int, results: list[Any], failures: list[Any]) -> tuple[None, dict]:
        collected.extend(results)
        return None, {}

    return SimpleNamespace(
        state=state,
        strategy=SimpleNamespace(
            configure_fit=lambda *_: [(proxy, FitIns(parameters, {})) for proxy in proxies],
            aggregate_fit=aggregate_fit,
        ),
        client_manager=SimpleNamespace(num_available=lambda: len(proxies)),
        collected=collected,
    )


def measure(n: int, d: int, drop: float) -> dict[str, float]:
    """CPU seconds of the median client and of the server."""
    rng = np.random.default_rng(0)
    vectors = {u: rng.uniform(-1, 1, d).astype(np.float32) for u in range(1, n + 1)}
    lost = set(list(vectors)[: round(drop * n)])
    grid, context = Grid(vectors, lost), server_context(vectors)
    workflow = SecAggPlusWorkflow(
        num_shares=1.0, reconstruction_threshold=2 * n // 3 + 1, max_weight=1
    )
    state, start = WorkflowState(), process_time()
    for stage in (
        workflow.setup_stage,
        workflow.share_keys_stage,
        workflow.collect_masked_vectors_stage,
        workflow.unmask_stage,
    ):
        if not stage(grid, context, state):
            raise SystemExit(f"{stage.__name__} was halted")
    server = process_time() - start - grid.network
    if len(context.collected) != n - len(lost):
        raise SystemExit(f"{len(context.collected)} results, expected {n - len(lost)}")
    whole = [grid.seconds[u] for u in vectors if u not in lost]
    return {"client_cpu_s": statistics.median(whole), "server_cpu_s": server}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--d", type=int, required=True)
    parser.add_argument("--drop", type=float, required=True)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    print(json.dumps(measure(options.n, options.d, options.drop)))
