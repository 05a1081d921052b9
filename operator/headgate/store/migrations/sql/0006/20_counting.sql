-- Calls are counted by these functions alone. They lock the workspace's row of the hour first, its pot's second, and
-- those of its callers last, in the order of their names. Windows are told by the clock of this server, of which there is one.

CREATE FUNCTION headgate.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION headgate.clock IS 'The time by which windows begin and end.';

CREATE FUNCTION headgate.calls_in(_workspace uuid, _subject text, _window timestamptz, _length interval)
RETURNS headgate.workspace_rate_limits LANGUAGE plpgsql AS $$
DECLARE
    counter headgate.workspace_rate_limits;
BEGIN
    INSERT INTO headgate.workspace_rate_limits (workspace_id, subject, window_start, used, generation)
    VALUES (_workspace, _subject, _window, 0, 0) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        -- The one before stays: another server with a slower clock may take this one's place.
        DELETE FROM headgate.workspace_rate_limits w
        WHERE w.workspace_id = _workspace AND w.subject = _subject AND w.window_start < _window - _length;
    END IF;
    SELECT * INTO STRICT counter FROM headgate.workspace_rate_limits w
    WHERE w.workspace_id = _workspace AND w.subject = _subject AND w.window_start = _window FOR UPDATE;
    RETURN counter;
END
$$;
COMMENT ON FUNCTION headgate.calls_in IS 'The row of a window, which is locked and added where it is missing.';

CREATE FUNCTION headgate.pot_calls_in(_pot text, _window timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    together integer;
BEGIN
    INSERT INTO headgate.pot_rate_limits (pot, window_start, used) VALUES (_pot, _window, 0) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        DELETE FROM headgate.pot_rate_limits p WHERE p.pot = _pot AND p.window_start < _window - interval '1 hour';
    END IF;
    SELECT used INTO STRICT together FROM headgate.pot_rate_limits p
    WHERE p.pot = _pot AND p.window_start = _window FOR UPDATE;
    RETURN together;
END
$$;
COMMENT ON FUNCTION headgate.pot_calls_in IS 'What all workspaces of a pot used in a window, whose row is locked and added where it is missing.';

CREATE FUNCTION headgate.lend(_counter headgate.workspace_rate_limits, _replica uuid, _calls integer)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO headgate.rate_limit_loans AS l (workspace_id, subject, window_start, replica, lent)
    VALUES (_counter.workspace_id, _counter.subject, _counter.window_start, _replica, _calls)
    ON CONFLICT (workspace_id, subject, window_start, replica) DO UPDATE SET lent = l.lent + excluded.lent
$$;
COMMENT ON FUNCTION headgate.lend IS 'Makes a replica one of those that spend what is lent of a counter, to which it adds so many calls.';

CREATE FUNCTION headgate.is_settling(_counter headgate.workspace_rate_limits) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT FROM headgate.rate_limit_loans l
        WHERE l.workspace_id = _counter.workspace_id AND l.subject = _counter.subject
            AND l.window_start = _counter.window_start AND l.spent IS NOT NULL
    )
$$;
COMMENT ON FUNCTION headgate.is_settling IS 'Whether a replica told what it spent, and others have yet to.';

CREATE FUNCTION headgate.take_calls(
    _workspace uuid, _subjects text[], _wanted integer[], _paid integer[], _paid_hourly integer, _burst integer,
    _replica uuid, _lend_hourly integer, _lend_each integer
) RETURNS TABLE (
    subject text, granted integer, used integer, most integer, began timestamptz, lasts bigint,
    generation integer, lent integer, settling boolean
) LANGUAGE plpgsql AS $$
DECLARE
    moment   timestamptz := headgate.clock();
    hour     timestamptz := date_trunc('hour', moment, 'UTC');
    minute   timestamptz := date_trunc('minute', moment, 'UTC');
    hourly   headgate.workspace_rate_limits;
    own      headgate.workspace_rate_limits;
    quota    headgate.workspace_resource_quotas;
    together integer;
    passed   integer := 0;
    loan     integer := 0;
    counted  integer;
    item     record;
BEGIN
    hourly := headgate.calls_in(_workspace, '', hour, interval '1 hour');
    SELECT * INTO STRICT quota FROM headgate.workspace_resource_quotas q WHERE q.workspace_id = _workspace;
    together := CASE WHEN quota.pot IS NULL THEN hourly.used ELSE headgate.pot_calls_in(quota.pot, hour) END;
    -- What is shared is never lent: of one workspace's loan another one could have nothing.
    IF quota.pot IS NULL AND NOT headgate.is_settling(hourly) THEN
        loan := GREATEST(0, LEAST(_lend_hourly,
            (quota.max_api_calls_per_hour - together - (SELECT sum(w) FROM unnest(_wanted) AS w)) / 4));
    END IF;
    FOR item IN SELECT * FROM unnest(_subjects, _wanted, _paid) AS w (name, calls, paid) ORDER BY w.name COLLATE "C"
    LOOP
        own := headgate.calls_in(_workspace, item.name, minute, interval '1 minute');
        subject := item.name;
        most := _burst;
        began := minute;
        lasts := extract(epoch FROM minute + interval '1 minute' - moment) * 1000;
        generation := own.generation;
        settling := headgate.is_settling(own);
        granted := GREATEST(0, LEAST(item.calls, item.paid + GREATEST(0, _burst - own.used),
            quota.max_api_calls_per_hour - together + _paid_hourly - passed));
        passed := passed + granted;
        used := own.used + GREATEST(0, granted - item.paid);
        -- Where the hour has nothing to lend, neither has the minute: they are spent together.
        lent := CASE WHEN settling OR _lend_hourly > 0 AND loan = 0 THEN 0
            ELSE GREATEST(0, LEAST(_lend_each, (_burst - used) / 4)) END;
        used := used + lent;
        IF lent > 0 THEN
            PERFORM headgate.lend(own, _replica, lent);
        END IF;
        UPDATE headgate.workspace_rate_limits w SET used = take_calls.used
        WHERE w.workspace_id = _workspace AND w.subject = item.name AND w.window_start = minute;
        RETURN NEXT;
    END LOOP;
    counted := GREATEST(0, passed - _paid_hourly) + loan;
    subject := '';
    most := quota.max_api_calls_per_hour;
    began := hour;
    lasts := extract(epoch FROM hour + interval '1 hour' - moment) * 1000;
    generation := hourly.generation;
    settling := headgate.is_settling(hourly);
    granted := passed;
    lent := loan;
    used := together + counted;
    IF loan > 0 THEN
        PERFORM headgate.lend(hourly, _replica, loan);
    END IF;
    UPDATE headgate.workspace_rate_limits w SET used = hourly.used + counted
    WHERE w.workspace_id = _workspace AND w.subject = '' AND w.window_start = hour;
    UPDATE headgate.pot_rate_limits p SET used = p.used + counted WHERE p.pot = quota.pot AND p.window_start = hour;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION headgate.take_calls IS 'Lets callers of a workspace pass, as many as there is room for in its hour and in the minute of each; some have had the room for either from what was lent before. Lends a replica some more, to be spent without asking. One row for each caller, and one for the workspace.';

CREATE FUNCTION headgate.join_loans(
    _workspace uuid, _replica uuid, _subjects text[], _windows timestamptz[], _generations integer[]
) RETURNS TABLE (subject text, began timestamptz, joined boolean) LANGUAGE plpgsql AS $$
DECLARE
    counter headgate.workspace_rate_limits;
    item    record;
BEGIN
    FOR item IN SELECT * FROM unnest(_subjects, _windows, _generations) AS w (name, began, generation)
        ORDER BY w.name COLLATE "C", w.began
    LOOP
        subject := item.name;
        began := item.began;
        SELECT * INTO counter FROM headgate.workspace_rate_limits w
        WHERE w.workspace_id = _workspace AND w.subject = item.name AND w.window_start = item.began FOR UPDATE;
        joined := FOUND AND counter.generation = item.generation AND NOT headgate.is_settling(counter);
        IF joined THEN
            PERFORM headgate.lend(counter, _replica, 0);
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION headgate.join_loans IS 'Makes a replica one of those that spend what was lent, unless that is being given back, or was.';

CREATE FUNCTION headgate.settle_loans(
    _workspace uuid, _replica uuid, _subjects text[], _windows timestamptz[], _generations integer[], _spent integer[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    counter headgate.workspace_rate_limits;
    item    record;
    unspent integer;
    waiting bigint;
BEGIN
    FOR item IN SELECT * FROM unnest(_subjects, _windows, _generations, _spent) AS w (name, began, generation, spent)
        ORDER BY w.name COLLATE "C", w.began
    LOOP
        SELECT * INTO counter FROM headgate.workspace_rate_limits w
        WHERE w.workspace_id = _workspace AND w.subject = item.name AND w.window_start = item.began FOR UPDATE;
        CONTINUE WHEN NOT FOUND OR counter.generation <> item.generation;
        UPDATE headgate.rate_limit_loans l SET spent = item.spent
        WHERE l.workspace_id = _workspace AND l.subject = item.name AND l.window_start = item.began
            AND l.replica = _replica AND l.spent IS NULL;
        SELECT count(*) FILTER (WHERE l.spent IS NULL), sum(l.lent) - sum(l.spent) INTO waiting, unspent
        FROM headgate.rate_limit_loans l
        WHERE l.workspace_id = _workspace AND l.subject = item.name AND l.window_start = item.began;
        CONTINUE WHEN waiting > 0 OR unspent IS NULL;
        DELETE FROM headgate.rate_limit_loans l
        WHERE l.workspace_id = _workspace AND l.subject = item.name AND l.window_start = item.began;
        UPDATE headgate.workspace_rate_limits w SET used = w.used - unspent, generation = w.generation + 1
        WHERE w.workspace_id = _workspace AND w.subject = item.name AND w.window_start = item.began;
        UPDATE headgate.pot_rate_limits p SET used = p.used - unspent
        FROM headgate.workspace_resource_quotas q
        WHERE item.name = '' AND q.workspace_id = _workspace AND p.pot = q.pot AND p.window_start = item.began;
    END LOOP;
END
$$;
COMMENT ON FUNCTION headgate.settle_loans IS 'Takes down what a replica spent of what was lent, of which it spends no more. Once all have told, what is left may be taken again.';

CREATE FUNCTION headgate.move_calls_to_pot(_workspace uuid, _pot text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    hour   timestamptz := date_trunc('hour', headgate.clock(), 'UTC');
    hourly headgate.workspace_rate_limits;
    before text;
    side   record;
BEGIN
    PERFORM FROM headgate.workspace_usage WHERE workspace_id = _workspace FOR UPDATE;
    SELECT pot INTO STRICT before FROM headgate.workspace_resource_quotas WHERE workspace_id = _workspace;
    IF before IS NOT DISTINCT FROM _pot THEN
        RETURN 0;
    END IF;
    -- Who takes calls locks this row before it looks for the pot.
    hourly := headgate.calls_in(_workspace, '', hour, interval '1 hour');
    FOR side IN SELECT * FROM (VALUES (before, -1), (_pot, 1)) AS sides (name, sign)
        WHERE sides.name IS NOT NULL ORDER BY sides.name COLLATE "C"
    LOOP
        PERFORM headgate.pot_calls_in(side.name, hour);
        UPDATE headgate.pot_rate_limits p SET used = GREATEST(0, p.used + side.sign * hourly.used)
        WHERE p.pot = side.name AND p.window_start = hour;
    END LOOP;
    RETURN hourly.used;
END
$$;
COMMENT ON FUNCTION headgate.move_calls_to_pot IS 'Takes the calls of this hour out of the workspace''s pot, and puts them into another: before move_to_pot, in its transaction.';

REVOKE ALL ON FUNCTION headgate.clock, headgate.calls_in, headgate.pot_calls_in, headgate.lend, headgate.is_settling,
    headgate.take_calls, headgate.join_loans, headgate.settle_loans, headgate.move_calls_to_pot FROM PUBLIC;
GRANT EXECUTE ON FUNCTION headgate.clock, headgate.calls_in, headgate.pot_calls_in, headgate.lend, headgate.is_settling,
    headgate.take_calls, headgate.join_loans, headgate.settle_loans TO headgate_app;
GRANT EXECUTE ON FUNCTION headgate.clock, headgate.calls_in, headgate.pot_calls_in, headgate.move_calls_to_pot
    TO headgate_system;
