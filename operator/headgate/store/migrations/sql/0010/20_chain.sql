-- Whoever adds an entry says what happened; its number and its hashes are made here, under the lock of the head. So one
-- message adds an entry, and no program can leave a gap or a number twice. headgate.domain.audit hashes the same.

-- Without a search_path of its own, which would keep it from being inlined: an entry has a dozen parts.
CREATE FUNCTION headgate.audit_part(part bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT pg_catalog.int4send(pg_catalog.octet_length(part)) OPERATOR(pg_catalog.||) part $$;

CREATE FUNCTION headgate.audit_part(part text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT headgate.audit_part(pg_catalog.convert_to(part, 'UTF8')) $$;

CREATE FUNCTION headgate.chain_audit_entry() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head  record;
BEGIN
    LOOP
        SELECT h.sequence, h.hash INTO head FROM headgate.audit_heads h
        WHERE h.workspace_id = NEW.workspace_id FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO headgate.audit_heads (workspace_id, sequence, hash, signed_sequence)
        VALUES (NEW.workspace_id, 0, decode(repeat('00', 32), 'hex'), 0)
        ON CONFLICT (workspace_id) DO NOTHING;
    END LOOP;
    NEW.sequence := head.sequence + 1;
    NEW.previous_hash := head.hash;
    NEW.hash := sha256(
        headgate.audit_part('headgate/audit-entry/1')
        || headgate.audit_part(uuid_send(NEW.workspace_id))
        || headgate.audit_part(int8send(NEW.sequence))
        || headgate.audit_part(int8send((extract(epoch FROM NEW.at) * 1000000)::bigint))
        || headgate.audit_part(NEW.actor_kind)
        || headgate.audit_part(NEW.actor_name)
        || headgate.audit_part(NEW.actor_via)
        || headgate.audit_part(NEW.action)
        || headgate.audit_part(NEW.object)
        || headgate.audit_part(NEW.outcome)
        || headgate.audit_part(NEW.detail::text)
        || headgate.audit_part(NEW.previous_hash)
    );
    UPDATE headgate.audit_heads SET sequence = NEW.sequence, hash = NEW.hash WHERE workspace_id = NEW.workspace_id;
    RETURN NEW;
END
$$;
CREATE TRIGGER chain BEFORE INSERT ON headgate.audit_log
    FOR EACH ROW EXECUTE FUNCTION headgate.chain_audit_entry();

-- For the owner of the tables too, whom no grant stops.
CREATE FUNCTION headgate.refuse_to_change_audit() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'headgate.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_log', 'audit_rounds', 'audit_checkpoints'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON headgate.%I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION headgate.refuse_to_change_audit()', name);
    END LOOP;
END
$$;
