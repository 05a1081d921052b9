"""What the engine is made of, for those who need no more than one part of it."""

from __future__ import annotations

from headgate.domain.envelope import KeyRing
from headgate.engine.api_keys import ApiKeys
from headgate.engine.audit_log import Audit
from headgate.engine.context import Context
from headgate.engine.credentials.credentials import Credentials
from headgate.engine.definitions.reads import DefinitionReads
from headgate.engine.reading.analytics import Analytics
from headgate.engine.reading.artifacts import Artifacts
from headgate.engine.reading.recommendations import Recommendations
from headgate.engine.reading.run_changes import RunChanges
from headgate.engine.reading.search import Search
from headgate.engine.reading.step_logs import StepLogs
from headgate.engine.recounting import Recounting
from headgate.engine.run_control import RunControl
from headgate.engine.starting.starter import Starter
from headgate.engine.steps.completions import Completions
from headgate.engine.steps.left_files import LeftFiles
from headgate.engine.steps.runner_tasks import RunnerTasks
from headgate.engine.sync.cursors import SyncCursors
from headgate.engine.versions import Versions
from headgate.engine.webhooks.deliveries import Deliveries
from headgate.engine.webhooks.webhooks import Webhooks
from headgate.engine.workflows import Workflows
from headgate.engine.workspaces import Workspaces


class Parts:
    """The engine by what it is about. Each part works with the same context, and hands room to the same starter."""

    def __init__(
        self,
        context: Context,
        starter: Starter,
        completions: Completions,
        keys: KeyRing | None,
        reads: DefinitionReads | None,
    ) -> None:
        self.workspaces = Workspaces(context, starter)
        """The tenants, and what they use."""
        self.workflows = Workflows(context)
        """What may be run."""
        self.versions = Versions(context, reads)
        """What workflows were before."""
        self.control = RunControl(context, starter)
        """What people, and time, do to runs."""
        self.runner_tasks = RunnerTasks(context, starter, completions)
        """What runners ask for, and whoever looks after them."""
        self.logs = StepLogs(context)
        """Where the logs of attempts lie."""
        self.left_files = LeftFiles(context)
        """Takes files that attempts leave."""
        self.artifacts = Artifacts(context)
        """Which of them there are."""
        self.changes = RunChanges(context)
        """What changes in runs, for those who follow them."""
        self.credentials = Credentials(context, keys)
        """What nodes are given to prove who they are."""
        self.cursors = SyncCursors(context)
        """How far copies between systems have come."""
        self.api_keys = ApiKeys(context)
        """By what programs call the gateway."""
        self.webhooks = Webhooks(context, starter, keys)
        """What other systems send."""
        self.deliveries = Deliveries(context, starter, keys)
        """What became of it."""
        self.audit = Audit(context)
        """Who did what."""
        self.analytics = Analytics(context)
        """What runs cost and how they fare, day by day."""
        self.recommendations = Recommendations(context)
        """What could go better."""
        self.recounting = Recounting(context)
        """What workspaces keep, counted by their rows."""
        self.search = Search(context)
        """What has words that are looked for."""
