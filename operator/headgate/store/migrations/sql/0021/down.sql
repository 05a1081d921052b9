DROP INDEX headgate.tasks_unscheduled;
ALTER TABLE headgate.tasks DROP COLUMN waiting_since;
