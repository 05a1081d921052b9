-- As 0024 has it, for one table more.
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
        FOREACH parent IN ARRAY ARRAY['workflow_executions', 'workflow_execution_steps', 'execution_labels',
            'run_documents', 'ended_labels', 'run_artifacts'] LOOP
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
