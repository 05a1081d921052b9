"""What `make up` has to show when it is done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime

from hack.example import FOLLOWED, Run
from hack.install import Database
from hack.kube import Kube
from hack.record import KUBECONFIG, LOGS
from hack.shell import CommandError

_CHILDREN = "namespaces,resourcequotas,limitranges,networkpolicies,serviceaccounts,rolebindings"
_WIDTH = 160
_OWN = "--selector=app.kubernetes.io/managed-by=headgate"


def collect(kube: Kube, run: Run, database: Database) -> list[tuple[str, str]]:
    """Title and text of each part: the workspaces, children, steps, report, and the history as Postgres has it."""
    parts = [
        ("Workspaces", kube.kubectl("get", "workspaces,quotas")),
        (f"Children of workspace {FOLLOWED}", _children(kube)),
        (f"Steps of WorkflowRun {run.name}: {run.phase} in {run.status.get('duration', '?')}", steps(run)),
        ("Its report", _report(kube, run)),
        ("Recorded in Postgres", history(run, database)),
    ]
    return [(title, text) for title, text in parts if text.strip()]


def show(parts: list[tuple[str, str]], say: Callable[[str], None]) -> None:
    """Prints the parts, and how to go on."""
    for title, text in parts:
        say("")
        say(f"{title}:")
        for line in text.rstrip().splitlines():
            say(f"  {line}".rstrip())
    say("")
    say("Go on with:")
    say(f"  export KUBECONFIG={KUBECONFIG}")
    say("  kubectl get workspaces,quotas; kubectl get workflows,workflowruns --all-namespaces")
    say("  kubectl create -f manifests/examples/runs/log-triage.yaml && kubectl get hrun --namespace globex --watch")
    say(f"Logs of this set-up are in {LOGS}; `make down` removes everything again.")


def _children(kube: Kube) -> str:
    columns = "--output=custom-columns=KIND:.kind,NAME:.metadata.name,CREATED:.metadata.creationTimestamp"
    return kube.kubectl(
        "get", _CHILDREN, columns, f"{_OWN},headgate.dev/workspace={FOLLOWED}", f"--namespace={FOLLOWED}"
    )


def steps(run: Run) -> str:
    """A table of the run's nodes: when each started after the run did, what became of it, and how long it took.

    Kubernetes tells the times of containers in whole seconds.
    """
    rows = [("NODE", "PHASE", "ATTEMPT", "AFTER", "TOOK", "REASON")]
    for node in run.nodes:
        after = _between(run.status.get("startedAt"), node.get("startedAt"))
        took = _between(node.get("startedAt"), node.get("finishedAt"))
        rows.append((node["id"], node["phase"], str(node.get("attempt") or "-"), after, took, node.get("reason", "")))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("   ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _between(start: str | None, end: str | None) -> str:
    if not start or not end:
        return "-"
    elapsed = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return f"{elapsed:.0f} s" if elapsed >= 1 else "<1 s"


def _report(kube: Kube, run: Run) -> str:
    """The page that the run's report node printed, as long as its pod is there."""
    selector = f"--selector=headgate.dev/run={run.run_id},headgate.dev/node=report"
    try:
        text = kube.kubectl("logs", f"--namespace={FOLLOWED}", selector, "--tail=-1")
    except CommandError:
        return ""
    return text.split("\n\n")[0]


def history(run: Run, database: Database) -> str:
    """What `headgate history` prints about the run. The URL goes through the environment, which no log shows."""
    done = subprocess.run(
        [sys.executable, "-m", "headgate.cli.main", "history", "--workspace", FOLLOWED, "--run", run.run_id],
        env={**os.environ, "HEADGATE_DATABASE_URL": database.url, "COLUMNS": str(_WIDTH)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"headgate history: {done.stderr.strip()}")
    return done.stdout
