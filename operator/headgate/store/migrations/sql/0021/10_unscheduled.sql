-- Which attempts have a pod that finds no room on the nodes, and since when: while a workspace has many, its others wait in the queue.

ALTER TABLE headgate.tasks ADD COLUMN waiting_since timestamptz;
COMMENT ON COLUMN headgate.tasks.waiting_since IS 'Since when the attempt waits for waiting_reason.';

CREATE INDEX tasks_unscheduled ON headgate.tasks (workspace_id, waiting_since)
    WHERE waiting_reason = 'Unschedulable' AND job_uid IS NOT NULL;
