"""What a migration may do to tables that grow with history: nothing that reads or writes all rows under a lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.store import migrations

SQL = Path(migrations.__file__).parent / "sql"
FIRST = "0006"
"""Before it nobody had a history."""
BIG = (
    "workflow_executions",
    "workflow_execution_steps",
    "execution_labels",
    "ended_labels",
    "run_artifacts",
    "execution_triggers",
    "run_changes",
    "audit_log",
    "webhook_deliveries",
)
BUSY = ("workflow_executions", "workflow_execution_steps", "tasks", "workspace_usage")
"""Tables that the same transactions write."""
RULES = {
    r"\bADD COLUMN [^,;]*\b(CHECK|UNIQUE|REFERENCES|PRIMARY KEY)\b": "add the check by ADD CONSTRAINT … NOT VALID",
    r"\bADD COLUMN [^;]*\bGENERATED\b": "a stored column writes every row: keep it up by a trigger",
    r"\bADD COLUMN [^,;]*\bDEFAULT (now|clock_timestamp|gen_random|random)": "a default that varies writes every row",
    r"\bADD CONSTRAINT (?![^;]*\bNOT VALID\b)": "add it NOT VALID, and validate it in a later revision",
    r"\bSET NOT NULL\b": "add a NOT VALID check instead, and validate it in a later revision",
    r"\bALTER COLUMN \w+ (SET DATA )?TYPE\b": "add another column instead",
    r"^\s*CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)": "build it CONCURRENTLY, partition by partition",
    r"^\s*(UPDATE|DELETE FROM)\b": "write rows in batches, by the operator",
    r"^\s*(CLUSTER|VACUUM FULL|TRUNCATE)\b": "no table may be locked for that long",
}


def statements(revision: Path) -> Iterator[tuple[str, str]]:
    """File and text of what a revision says outside of functions, on its way up."""
    for file in sorted(revision.glob("*.sql")):
        if not file.name.startswith("down"):
            text = re.sub(r"\$\$.*?\$\$|--[^\n]*|'[^']*'", "", file.read_text(), flags=re.DOTALL)
            yield from ((file.name, part) for part in text.split(";"))


def broken(revision: Path) -> list[str]:
    """What the revision does to big tables that it did not make."""
    parts = list(statements(revision))
    made = {name for _, part in parts for name in re.findall(r"CREATE TABLE headgate\.(\w+)", part)}
    tables = "|".join(name for name in BIG if name not in made)
    touching = re.compile(
        r"^\s*(ALTER TABLE( ONLY)?|UPDATE|DELETE FROM|CLUSTER|VACUUM FULL|TRUNCATE"
        rf"|CREATE (UNIQUE )?INDEX[^;]*\bON( ONLY)?)\s+headgate\.({tables})\b"
    )
    found = [
        f"{revision.name}/{name}: {advice}"
        for name, part in parts
        if tables and touching.search(part)
        for rule, advice in RULES.items()
        if re.search(rule, part)
    ]
    if len(locked := locks(parts)) > 1:
        found.append(
            f"{revision.name}: of {sorted(locked)} lock one in a revision: writers hold one and ask for another"
        )
    return found


def locks(parts: list[tuple[str, str]]) -> set[str]:
    """The busy tables that the statements lock against writers."""
    heads = re.compile(rf"\b(?:ALTER TABLE|LOCK TABLE|TRIGGER[^;]*? ON)\b[^;]*?\bheadgate\.({'|'.join(BUSY)})\b")
    return {
        name
        for _, part in parts
        if not re.search(r"\bVALIDATE CONSTRAINT\b", part)
        for name in [*heads.findall(part), *re.findall(rf"LOCK TABLE[^;]*,\s*headgate\.({'|'.join(BUSY)})\b", part)]
    }


@pytest.mark.parametrize(
    "revision", [path for path in sorted(SQL.iterdir()) if path.name >= FIRST], ids=lambda path: path.name
)
def test_a_revision_holds_up_nobody(revision: Path) -> None:
    assert broken(revision) == []


@pytest.mark.parametrize(
    "down",
    [path for path in sorted(SQL.glob("*/down.sql")) if path.parent.name >= FIRST],
    ids=lambda path: path.parent.name,
)
def test_a_way_back_locks_a_partitioned_table_before_it_drops_its_triggers(down: Path) -> None:
    text = down.read_text()
    dropped = re.search(r"DROP TRIGGER \w+ ON headgate\.(workflow_executions|workflow_execution_steps)\b", text)

    # Partitions are locked first otherwise, and whoever writes has the table and asks for a partition.
    assert dropped is None or f"LOCK TABLE headgate.{dropped[1]} " in text[: dropped.start()]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE headgate.workflow_executions ADD COLUMN a text CHECK (a <> ('x'))",
        "ALTER TABLE headgate.workflow_executions ADD COLUMN a tsvector GENERATED ALWAYS AS (to_tsvector(b)) STORED",
        "ALTER TABLE headgate.audit_log ADD COLUMN a timestamptz DEFAULT now()",
        "ALTER TABLE headgate.audit_log ADD CONSTRAINT a CHECK (b > 0)",
        "ALTER TABLE headgate.audit_log ALTER COLUMN a SET NOT NULL",
        "ALTER TABLE headgate.audit_log ALTER COLUMN a TYPE bigint",
        "CREATE INDEX a ON headgate.workflow_executions (b)",
        "UPDATE headgate.workflow_execution_steps SET a = 1",
        "TRUNCATE headgate.run_changes",
        "LOCK TABLE headgate.workflow_executions, headgate.workflow_execution_steps",
        "ALTER TABLE headgate.tasks ADD COLUMN a text; ALTER TABLE headgate.workspace_usage ADD COLUMN a text",
        "DROP TRIGGER a ON headgate.tasks; CREATE TRIGGER b AFTER INSERT ON headgate.workflow_executions",
    ],
)
def test_what_would_hold_up_somebody_is_found(tmp_path: Path, statement: str) -> None:
    (tmp_path / "10_tables.sql").write_text(f"CREATE TABLE headgate.other (a text);\n{statement};\n")
    assert len(broken(tmp_path)) == 1


def test_a_table_that_is_made_by_the_same_revision_is_empty(tmp_path: Path) -> None:
    (tmp_path / "10.sql").write_text(
        "CREATE TABLE headgate.run_changes (a text); CREATE INDEX b ON headgate.run_changes (a);"
    )
    assert broken(tmp_path) == []
