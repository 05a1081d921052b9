"""The commands for those who use Headgate: they speak to the API, and to nothing else."""

from __future__ import annotations

import typer

from headgate.cli import artifacts, cursors, keys, login, runs, search, steering, step_logs, usage, vault, webhooks
from headgate.cli.session import api_command

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, help="Headgate: multi-tenant workflows on Kubernetes."
)
key = typer.Typer(no_args_is_help=True, help="Keys of the API.")
credential = typer.Typer(no_args_is_help=True, help="Credentials, whose values nobody reads back.")
webhook = typer.Typer(no_args_is_help=True, help="Webhooks, and what came by them.")
cursor = typer.Typer(no_args_is_help=True, help="How far copies between systems have come.")
context = typer.Typer(no_args_is_help=True, help="Servers that were logged in to.")

app.command()(login.login)
api_command(app)(runs.run)
api_command(app)(runs.get)
api_command(app, "list")(runs.list_runs)
api_command(app)(search.search)
api_command(app)(step_logs.logs)
api_command(app)(artifacts.artifacts)
api_command(app)(steering.cancel)
api_command(app)(steering.retry)
api_command(app)(steering.suspend)
api_command(app)(steering.resume)
api_command(app)(steering.approve)
api_command(app)(steering.reject)
api_command(app)(usage.usage)
api_command(app)(usage.recommendations)
api_command(app)(usage.workspaces)
api_command(app)(usage.workflows)

api_command(key, "create")(keys.create)
api_command(key, "list")(keys.list_keys)
api_command(key, "revoke")(keys.revoke)
api_command(credential, "list")(vault.list_credentials)
api_command(credential, "put")(vault.put)
api_command(credential, "rotate")(vault.rotate)
api_command(credential, "delete")(vault.delete)
api_command(webhook, "list")(webhooks.list_webhooks)
api_command(webhook, "deliveries")(webhooks.deliveries)
api_command(webhook, "redeliver")(webhooks.redeliver)
api_command(cursor, "list")(cursors.list_cursors)
api_command(cursor, "get")(cursors.get)
api_command(cursor, "reset")(cursors.reset)
context.command("list")(login.list_contexts)
context.command("use")(login.use_context)
context.command("delete")(login.delete_context)

app.add_typer(key, name="key")
app.add_typer(credential, name="credential")
app.add_typer(webhook, name="webhook")
app.add_typer(cursor, name="cursor")
app.add_typer(context, name="context")

COMMANDS = frozenset(
    {str(item.name or item.callback.__name__) for item in app.registered_commands if item.callback is not None}
    | {str(group.name) for group in app.registered_groups}
)
"""The names of all of them."""
