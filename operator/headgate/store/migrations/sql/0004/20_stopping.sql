-- What is asked to end is looked for once a second, and there is hardly any.
CREATE INDEX tasks_stopping ON headgate.tasks (workspace_id) WHERE stopping AND kind = 'job';
