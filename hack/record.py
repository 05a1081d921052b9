"""What `make up` has made, so that `make down` removes that and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
CLUSTER_STATE = STATE / "cluster"
LOGS = STATE / "logs"
KUBECONFIG = STATE / "kubeconfig"
NAME = "headgate"
NAMESPACE = "headgate-system"
RELEASE = "headgate"

_FILE = STATE / "up.json"


@dataclass(frozen=True)
class Record:
    """Written before anything is made, so that an interrupted `make up` can be undone too."""

    provider: str
    """Class of the cluster's provider."""
    context: str | None = None
    """The context of the user's kubeconfig that was asked for."""
    own_postgres: bool = False
    """Whether the embedded Postgres is in use."""
    own_namespace: bool | None = None
    """Whether Headgate's namespace was not there before; None as long as nobody has looked."""

    own_definitions: bool | None = None
    """Whether Headgate's custom resource definitions were not there before; None as long as nobody has looked."""

    def save(self) -> None:
        """Replaces what was recorded."""
        STATE.mkdir(parents=True, exist_ok=True)
        _FILE.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls) -> Record | None:
        """What was recorded; None when nothing is up."""
        return cls(**json.loads(_FILE.read_text())) if _FILE.exists() else None

    @staticmethod
    def forget() -> None:
        """Nothing is up any more."""
        _FILE.unlink(missing_ok=True)
