"""All commands of ``headgate``: the processes, those for people who run it, and those for people who use it."""

from __future__ import annotations

import sys
from importlib.metadata import version

import typer
import uvloop

from headgate import garbage
from headgate.cli.audit import audit
from headgate.cli.credentials import credentials, delete_credential, put_credential, releases, rotate_keys
from headgate.cli.database import complain, history, migrate
from headgate.cli.logs import logs
from headgate.cli.recount import recount
from headgate.cli.release import release
from headgate.cli.retention import retention
from headgate.cli.tenants import app as tenants
from headgate.cli.versions import diff, rollback, versions
from headgate.domain.json_bytes import RECURSION_LIMIT
from headgate.domain.key_ring import KeyRingInvalid
from headgate.domain.prices import PricesInvalid
from headgate.settings import GatewaySettings, OperatorSettings
from headgate.telemetry import configure_logging

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Headgate: multi-tenant workflows on Kubernetes.")


@app.command()
def operator() -> None:
    """Run the operator, configured by HEADGATE_... environment variables."""
    with garbage.loading():
        from headgate.operate import operate

    settings = OperatorSettings()
    configure_logging(settings.log_level)
    try:
        raise typer.Exit(uvloop.run(operate(settings)))
    except (KeyRingInvalid, PricesInvalid) as error:
        raise typer.Exit(complain(str(error))) from None


@app.command()
def gateway() -> None:
    """Run the gateway, configured by HEADGATE_... environment variables."""
    with garbage.loading():
        from headgate.gateway.serve import serve_gateway

    settings = GatewaySettings()
    configure_logging(settings.log_level, service="headgate-gateway")
    try:
        raise typer.Exit(uvloop.run(serve_gateway(settings)))
    except (KeyRingInvalid, PricesInvalid) as error:
        raise typer.Exit(complain(str(error))) from None


app.command()(migrate)
app.command()(history)
app.command("node-logs")(logs)
app.command()(release)
app.command()(versions)
app.command()(diff)
app.command()(rollback)
app.command()(credentials)
app.command()(put_credential)
app.command()(delete_credential)
app.command("credential-releases")(releases)
app.command()(rotate_keys)
app.command()(recount)
app.add_typer(audit, name="audit")
app.add_typer(retention, name="retention")


app.add_typer(tenants)


@app.command("version")
def show_version() -> None:
    """Print the version."""
    typer.echo(version("headgate"))


def main() -> None:
    """Entry point."""
    sys.setrecursionlimit(RECURSION_LIMIT)
    app()


if __name__ == "__main__":
    main()
