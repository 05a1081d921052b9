-- Labels of runs: with the run, to be shown, and a row for each, to be found by.
--
-- The rows lie in the order in which people page, so that a page of the runs with a label is a range of their index. An
-- index over the jsonb would find all runs with the label, and sort them, for every page.

CREATE TABLE headgate.execution_labels (
    workspace_id  uuid NOT NULL,
    key           text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 317),
    value         text NOT NULL CHECK (octet_length(value) <= 63),
    started_at    timestamptz NOT NULL,
    execution_id  uuid NOT NULL,
    PRIMARY KEY (workspace_id, key, value, started_at, execution_id)
) PARTITION BY RANGE (started_at);
COMMENT ON TABLE headgate.execution_labels IS 'The runs with a label, by time.';
COMMENT ON COLUMN headgate.execution_labels.started_at IS 'started_at of the run, so that a run and its labels share their partition.';

ALTER TABLE headgate.execution_labels ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON headgate.execution_labels TO headgate_app
    USING (workspace_id = NULLIF(current_setting('app.workspace_id', true), '')::uuid);
GRANT SELECT, INSERT ON headgate.execution_labels TO headgate_app;

-- Beside the statement that adds the run: a run without labels costs nothing.
CREATE FUNCTION headgate.keep_labels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO headgate.execution_labels (workspace_id, key, value, started_at, execution_id)
    SELECT NEW.workspace_id, l.key, l.value, NEW.started_at, NEW.id FROM jsonb_each_text(NEW.labels) l;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION headgate.keep_labels FROM PUBLIC;

-- As 0001 has it, for one table more.
CREATE OR REPLACE FUNCTION headgate.ensure_partitions(reference timestamptz, months_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    home       oid := 'headgate'::regnamespace;
    parent     text;
    partition  text;
    lower_end  timestamp;
    made       integer := 0;
BEGIN
    IF months_ahead NOT BETWEEN 0 AND 24 THEN
        RAISE EXCEPTION 'months_ahead must be from 0 to 24, not %', months_ahead;
    END IF;
    FOR ahead IN 0..months_ahead LOOP
        lower_end := date_trunc('month', reference AT TIME ZONE 'UTC') + make_interval(months => ahead);
        FOREACH parent IN ARRAY ARRAY['workflow_executions', 'workflow_execution_steps', 'execution_labels'] LOOP
            partition := parent || '_' || to_char(lower_end, 'YYYY_MM');
            CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = partition AND c.relnamespace = home);
            PERFORM pg_advisory_xact_lock(hashtextextended('headgate.ensure_partitions', 0));
            -- Asked of the table, not by to_regclass: that would remember its answer from before the wait.
            CONTINUE WHEN EXISTS (SELECT FROM pg_class c WHERE c.relname = partition AND c.relnamespace = home);
            EXECUTE format(
                'CREATE TABLE headgate.%I (LIKE headgate.%I INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMMENTS)'
                ' WITH (fillfactor = 90)', partition, parent);
            EXECUTE format('ALTER TABLE headgate.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
            EXECUTE format(
                'ALTER TABLE headgate.%I ATTACH PARTITION headgate.%I FOR VALUES FROM (%L) TO (%L)', parent, partition,
                to_char(lower_end, 'YYYY-MM-DD') || ' 00:00:00+00',
                to_char(lower_end + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;

-- For every month that there is.
SELECT headgate.ensure_partitions(to_timestamp(right(c.relname, 7) || '-15', 'YYYY_MM-DD'), 0)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'headgate.workflow_executions'::regclass;
