-- For how many months, that of ``reference`` left out, every partitioned table has its partitions without a gap; -1
-- where that month's own are missing. Reads the catalogue alone, so that it says what there is and not what was made.
CREATE FUNCTION headgate.partitions_ahead(reference timestamptz) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(min(m.ahead), 25) - 1
    FROM generate_series(0, 24) AS m (ahead)
    CROSS JOIN pg_class p
    WHERE p.relnamespace = 'headgate'::regnamespace AND p.relkind = 'p'
        AND NOT EXISTS (
            SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = p.oid AND c.relname = p.relname || '_' || to_char(
                date_trunc('month', reference AT TIME ZONE 'UTC') + make_interval(months => m.ahead), 'YYYY_MM')
        )
$$;
REVOKE ALL ON FUNCTION headgate.partitions_ahead(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.partitions_ahead(timestamptz) TO headgate_system;
