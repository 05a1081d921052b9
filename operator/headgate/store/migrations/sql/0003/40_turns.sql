-- Whose turn it is to be handed out work, over all workspaces. Only claims touch it, one at a time.

CREATE TABLE headgate.dispatch_turns (
    workspace_id  uuid PRIMARY KEY,
    last_turn     double precision NOT NULL,
    next_turn     double precision NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE headgate.dispatch_turns IS 'Turns of workspaces that were served lately; what is not listed may go next.';
COMMENT ON COLUMN headgate.dispatch_turns.last_turn IS 'The turn of the last task that was claimed. The greatest of all is the present turn.';
COMMENT ON COLUMN headgate.dispatch_turns.next_turn IS 'The turn of its next task: later by one divided by the weight.';

ALTER TABLE headgate.dispatch_turns ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY system ON headgate.dispatch_turns TO headgate_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON headgate.dispatch_turns TO headgate_system;

-- An attempt whose Job exists waits no more for what kept the Job from being made.
GRANT UPDATE (waiting_reason, waiting_message, waiting_until) ON headgate.tasks TO headgate_system;
