-- The runs with a label that ended in a certain way, in the order in which people page.
--
-- In execution_labels those that failed are found by looking at each run with the label, and where one in twenty fails a
-- page is a thousand of them. Runs under way need no such table: their index is small, whatever the history is. A table of
-- its own, not a column: no row of the past is rewritten, and an end adds a row and one entry of an index, where a column
-- would be a new version of the row, with an entry in both indexes.

CREATE TABLE headgate.ended_labels (
    workspace_id  uuid NOT NULL,
    key           text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 317),
    value         text NOT NULL CHECK (octet_length(value) <= 63),
    status        text NOT NULL CHECK (status IN ('Succeeded', 'Failed', 'Cancelled')),
    started_at    timestamptz NOT NULL,
    execution_id  uuid NOT NULL,
    PRIMARY KEY (workspace_id, key, value, status, started_at, execution_id)
) PARTITION BY RANGE (started_at);
COMMENT ON TABLE headgate.ended_labels IS 'The runs with a label that have ended, by how and by time.';
COMMENT ON COLUMN headgate.ended_labels.started_at IS 'started_at of the run, so that a run and its labels share their partition.';

ALTER TABLE headgate.ended_labels ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.ended_labels TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT, DELETE ON headgate.ended_labels TO headgate_app;
-- What runs that are archived leave, as 0013 has it for themselves.
CREATE POLICY removal ON headgate.ended_labels TO headgate_owner USING (
    (SELECT current_setting('headgate.removing', true)) = 'month'
    OR (SELECT current_setting('headgate.removing', true)) = 'part'
    AND workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);

ALTER TABLE headgate.upkeep_days ADD COLUMN labels_from uuid;
COMMENT ON COLUMN headgate.upkeep_days.labels_from IS 'Runs with this id or a later one are in ended_labels; the nil UUID: all of them are.';

CREATE FUNCTION headgate.keep_ended_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One may be there: what has none is given them beside writers, by what it saw of the run.
    INSERT INTO headgate.ended_labels (workspace_id, key, value, status, started_at, execution_id)
    SELECT NEW.workspace_id, l.key, l.value, NEW.status, NEW.started_at, NEW.id FROM jsonb_each_text(NEW.labels) l
    ON CONFLICT (workspace_id, key, value, status, started_at, execution_id) DO NOTHING;
    RETURN NULL;
END
$$;
CREATE FUNCTION headgate.drop_ended_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM headgate.ended_labels e USING jsonb_each_text(OLD.labels) l
    WHERE e.workspace_id = OLD.workspace_id AND e.key = l.key AND e.value = l.value
        AND e.status IN ('Succeeded', 'Failed', 'Cancelled')
        AND e.started_at = OLD.started_at AND e.execution_id = OLD.id;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION headgate.keep_ended_labels, headgate.drop_ended_labels FROM PUBLIC;
