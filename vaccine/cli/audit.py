"""`vaccine audit`."""

from __future__ import annotations

from pathlib import Path

import click

from vaccine.cli.common import config_option, console, url_option

FORMATS = ("table", "json")
GATES = ("high", "medium", "low")


@click.command("audit")
@url_option
@config_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--schema", "schemas", multiple=True, metavar="NAME", help="Only this schema; may be given again.")
@click.option("--all", "everything", is_flag=True, help="List guarded, intentional and log keys too.")
@click.option("--structure-only", is_flag=True, help="Read no rows: judge by names, types, keys and indexes.")
@click.option("--with-frameworks", is_flag=True, help="Look at the tables of frameworks too.")
@click.option("--fail-on", type=click.Choice(GATES), help="Exit with 1 when there is a finding at or above this.")
def command(
    url: str | None,
    alembic_ini: Path | None,
    form: str,
    schemas: tuple[str, ...],
    everything: bool,  # noqa: FBT001  click passes options by name
    structure_only: bool,  # noqa: FBT001
    with_frameworks: bool,  # noqa: FBT001
    fail_on: str | None,
) -> int:
    """Find the logical keys that no unique index guards. Read-only."""
    from vaccine.audit import AuditSettings, run_audit
    from vaccine.connect import read_only, resolve_url

    settings = AuditSettings(schemas=schemas, data=not structure_only, with_frameworks=with_frameworks)
    with read_only(resolve_url(url, alembic_ini)) as connection:
        audit = run_audit(connection, settings)
    if form == "json":
        from vaccine.report import json

        click.echo(json.render(audit))
    else:
        from vaccine.report import table

        table.show(audit, console(), everything=everything)
    gate = GATES[: GATES.index(fail_on) + 1] if fail_on else ()
    return int(any(finding.priority.value in gate for finding in audit.findings))
