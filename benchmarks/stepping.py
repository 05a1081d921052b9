"""What deciding on the next step of a large graph costs, without a database.

    python -m benchmarks.stepping

Goal: at most 1 ms of processor time a step at 100 nodes (issue "The engine"). The graph is as dense as the API server
admits: every node depends on the 20 before it. It is stepped to its end, one node ending at a time.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.report import Figure, show
from headgate.api.node import Node
from headgate.api.workflow_run import NodePhase
from headgate.domain.graph import Graph, NodeState, step

MOST_DEPENDENCIES = 20


def a_graph(nodes: int) -> Graph:
    """A trigger, and actions that each depend on as many before them as may be."""
    listed = [Node.model_validate({"id": "n0", "type": "trigger", "config": {"manual": {}}})]
    for number in range(1, nodes):
        before = [f"n{earlier}" for earlier in range(max(0, number - MOST_DEPENDENCIES), number)]
        config = {"container": {"image": "example.test/tool"}}
        listed.append(
            Node.model_validate({"id": f"n{number}", "type": "action", "dependsOn": before, "config": config})
        )
    return Graph.of(listed)


def seconds_a_step(graph: Graph, rounds: int) -> float:
    """Processor time of one step, over whole runs."""
    taken, steps = 0.0, 0
    for _ in range(rounds):
        states = graph.started_by("n0")
        while True:
            began = time.process_time()
            decided = step(graph, states)
            taken += time.process_time() - began
            steps += 1
            if decided.outcome is not None:
                break
            states |= dict.fromkeys(decided.ready, NodeState(NodePhase.SUCCEEDED, 1))
    return taken / steps


def main(nodes: int, rounds: int) -> list[Figure]:
    """Step and measure."""
    milliseconds = 1000 * seconds_a_step(a_graph(nodes), rounds)
    return [Figure(f"processor time of a step over {nodes} nodes", milliseconds, "ms", 1, "lower")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    show(main(arguments.nodes, arguments.rounds), f"python -m benchmarks.stepping --nodes {arguments.nodes}")
