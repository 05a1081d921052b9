-- What people look for by its words: workflows, what became of runs, and what is recommended.
--
-- A document lies in a table of its own, not in a column of what it is about: to add a generated column rewrites every
-- partition under a lock that keeps everybody out, and an index beside the run's others would be written with every
-- change of a run, where few of them end with an error. The workspace is a word of every document: so one index finds
-- the documents of a workspace that have a word, and reads none of another's, without an extension that servers may lack.

CREATE FUNCTION headgate.words(_text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- Nothing joins words, so that parts of hosts, paths and names are found, and nothing is taken for markup and left
    -- out; and once more with names taken apart: who looks for "exit code" means ExitCode too.
    SELECT to_tsvector('pg_catalog.simple', t.apart)
        || to_tsvector('pg_catalog.simple', regexp_replace(t.apart, '([a-z0-9])([A-Z])', '\1 \2', 'g'))
    FROM (SELECT translate(_text, '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)) AS apart) t
$$;
COMMENT ON FUNCTION headgate.words IS 'The words of a text, whatever language it is in.';

CREATE FUNCTION headgate.owner_word(_workspace uuid) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- No text has a word with a space in it.
    SELECT 'of ' || _workspace::text
$$;

CREATE FUNCTION headgate.document(_workspace uuid, _text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(ARRAY[headgate.owner_word(_workspace)]) || headgate.words(_text)
$$;

CREATE TABLE headgate.workflow_documents (
    workspace_id  uuid NOT NULL,
    workflow_id   uuid NOT NULL,
    document      tsvector NOT NULL,
    PRIMARY KEY (workspace_id, workflow_id)
);
COMMENT ON TABLE headgate.workflow_documents IS 'Words of the workflows that there are, as their current versions have them.';
CREATE INDEX workflow_documents_words ON headgate.workflow_documents USING gin (document) WITH (fastupdate = off);

CREATE TABLE headgate.run_documents (
    workspace_id  uuid NOT NULL,
    started_at    timestamptz NOT NULL,
    execution_id  uuid NOT NULL,
    document      tsvector NOT NULL,
    PRIMARY KEY (workspace_id, started_at, execution_id)
) PARTITION BY RANGE (started_at);
COMMENT ON TABLE headgate.run_documents IS 'Words of the error messages of runs; a run without one has no row.';
COMMENT ON COLUMN headgate.run_documents.started_at IS 'started_at of the run, so that a run and its words share their partition.';
-- Without a list of what is pending: whoever fills it up would have to add all of it, in the transaction that ends a run.
CREATE INDEX run_documents_words ON headgate.run_documents USING gin (document) WITH (fastupdate = off);

CREATE TABLE headgate.recommendations (
    workspace_id  uuid NOT NULL,
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    workflow_id   uuid NOT NULL,
    node          text NOT NULL CHECK (octet_length(node) <= 80),
    rule          text NOT NULL CHECK (octet_length(rule) <= 32),
    message       text NOT NULL CHECK (octet_length(message) <= 1024),
    made_at       timestamptz NOT NULL,
    document      tsvector NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, workflow_id, node, rule)
);
COMMENT ON TABLE headgate.recommendations IS 'What could go better, as the last days of analytics have it; made anew each day.';
COMMENT ON COLUMN headgate.recommendations.node IS 'Empty where the whole workflow is meant.';
CREATE INDEX recommendations_words ON headgate.recommendations USING gin (document) WITH (fastupdate = off);

CREATE TABLE headgate.upkeep_days (
    workspace_id  uuid PRIMARY KEY,
    day           date NOT NULL
);
COMMENT ON TABLE headgate.upkeep_days IS 'When recommendations were made last, and what lacked words was given them.';

CREATE FUNCTION headgate.keep_workflow_document() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.deleted_at IS NOT NULL THEN
        DELETE FROM headgate.workflow_documents WHERE workspace_id = NEW.workspace_id AND workflow_id = NEW.id;
        RETURN NULL;
    END IF;
    INSERT INTO headgate.workflow_documents (workspace_id, workflow_id, document)
    SELECT NEW.workspace_id, NEW.id, headgate.workflow_document(NEW.workspace_id, NEW.namespace, NEW.name, v.spec)
    FROM headgate.workflow_versions v WHERE v.workspace_id = NEW.workspace_id AND v.id = NEW.current_version_id
    ON CONFLICT (workspace_id, workflow_id) DO UPDATE SET document = excluded.document;
    RETURN NULL;
END
$$;
CREATE FUNCTION headgate.workflow_document(_workspace uuid, _namespace text, _name text, _spec jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- A name weighs more than where it lies, and that more than what it is made of.
    SELECT array_to_tsvector(ARRAY[headgate.owner_word(_workspace)])
        || setweight(headgate.words(concat_ws(' ', _name, _spec ->> 'displayName')), 'A')
        || setweight(headgate.words(_namespace), 'B')
        || setweight(headgate.words(coalesce((
            SELECT string_agg(node ->> 'id', ' ' ORDER BY place)
            FROM jsonb_array_elements(_spec -> 'nodes') WITH ORDINALITY AS of (node, place)
        ), '')), 'C')
$$;
REVOKE ALL ON FUNCTION headgate.keep_workflow_document FROM PUBLIC;
-- The version is there by then: a new workflow's is added after it, and made its current one after that.
CREATE TRIGGER keep_document AFTER UPDATE OF current_version_id, deleted_at ON headgate.workflows
    FOR EACH ROW EXECUTE FUNCTION headgate.keep_workflow_document();

CREATE FUNCTION headgate.keep_run_document() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO headgate.run_documents (workspace_id, started_at, execution_id, document)
    VALUES (NEW.workspace_id, NEW.started_at, NEW.id, headgate.document(NEW.workspace_id, NEW.error_message))
    ON CONFLICT (workspace_id, started_at, execution_id) DO UPDATE SET document = excluded.document;
    RETURN NULL;
END
$$;
CREATE FUNCTION headgate.drop_run_document() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM headgate.run_documents
    WHERE workspace_id = OLD.workspace_id AND started_at = OLD.started_at AND execution_id = OLD.id;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION headgate.keep_run_document, headgate.drop_run_document FROM PUBLIC;
-- Beside the statement that ends the run: one that has no error costs nothing.
CREATE TRIGGER keep_document_of_new AFTER INSERT ON headgate.workflow_executions
    FOR EACH ROW WHEN (NEW.error_message IS NOT NULL) EXECUTE FUNCTION headgate.keep_run_document();
CREATE TRIGGER keep_document AFTER UPDATE OF error_message ON headgate.workflow_executions
    FOR EACH ROW WHEN (NEW.error_message IS NOT NULL AND OLD.error_message IS DISTINCT FROM NEW.error_message)
    EXECUTE FUNCTION headgate.keep_run_document();
-- A run that is taken up again has no error, and one that is deleted nothing at all.
CREATE TRIGGER drop_document AFTER UPDATE OF error_message ON headgate.workflow_executions
    FOR EACH ROW WHEN (OLD.error_message IS NOT NULL AND NEW.error_message IS NULL)
    EXECUTE FUNCTION headgate.drop_run_document();
CREATE TRIGGER drop_document_of_deleted AFTER DELETE ON headgate.workflow_executions
    FOR EACH ROW WHEN (OLD.error_message IS NOT NULL) EXECUTE FUNCTION headgate.drop_run_document();
