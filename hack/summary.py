"""What `make up` has to show when it is done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from hack.example import FOLLOWED, Run, seconds
from hack.install import Database
from hack.kube import Kube
from hack.record import KUBECONFIG, LOGS
from hack.shell import CommandError

_CHILDREN = "namespaces,resourcequotas,limitranges,networkpolicies,serviceaccounts,rolebindings"
_OWN = "--selector=app.kubernetes.io/managed-by=headgate"


def show(kube: Kube, run: Run, database: Database, say: Callable[[str], None]) -> None:
    """The workspace and its children, the run's steps, its report, and the history as Postgres has it."""
    _section(say, "Workspaces", kube.kubectl("get", "workspaces,quotas"))
    _section(say, f"Children of workspace {FOLLOWED}", _children(kube))
    _section(say, f"Steps of WorkflowRun {run.name}: {run.phase} in {run.status.get('duration', '?')}", steps(run))
    if report := _report(kube, run):
        _section(say, "Its report", report)
    _section(say, "Recorded in Postgres", history(run, database))
    say("")
    say("Go on with:")
    say(f"  export KUBECONFIG={KUBECONFIG}")
    say("  kubectl get workspaces,quotas; kubectl get workflows,workflowruns --all-namespaces")
    say("  kubectl create -f manifests/examples/runs/log-triage.yaml && kubectl get hrun --namespace globex --watch")
    say(f"Logs of this set-up are in {LOGS}; `make down` removes everything again.")


def _section(say: Callable[[str], None], title: str, text: str) -> None:
    say("")
    say(f"{title}:")
    for line in text.rstrip().splitlines():
        say(f"  {line}".rstrip())


def _children(kube: Kube) -> str:
    columns = "--output=custom-columns=KIND:.kind,NAME:.metadata.name,CREATED:.metadata.creationTimestamp"
    mine = f"{_OWN},headgate.dev/workspace={FOLLOWED}"
    kinds = _CHILDREN.split(",")
    found = [kube.kubectl("get", kinds[0], columns, mine)]
    found.append(kube.kubectl("get", ",".join(kinds[1:]), columns, mine, f"--namespace={FOLLOWED}", "--no-headers"))
    return "".join(found)


def steps(run: Run) -> str:
    """A table of the run's nodes with what became of them and how long they took."""
    lines = [f"{'NODE':<14}{'PHASE':<12}{'ATTEMPT':<9}{'SECONDS':>7}  REASON"]
    for node in run.nodes:
        took = seconds(node)
        shown = f"{took:.1f}" if took is not None else "-"
        line = (
            f"{node['id']:<14}{node['phase']:<12}{node.get('attempt', 0) or '-':<9}{shown:>7}  {node.get('reason', '')}"
        )
        lines.append(line.rstrip())
    return "\n".join(lines)


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
        env={**os.environ, "HEADGATE_DATABASE_URL": database.url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"headgate history: {done.stderr.strip()}")
    return done.stdout
