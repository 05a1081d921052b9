LOCK TABLE headgate.workflow_executions IN ACCESS EXCLUSIVE MODE;
DROP TRIGGER drop_document_of_deleted ON headgate.workflow_executions;
DROP TRIGGER drop_document ON headgate.workflow_executions;
DROP TRIGGER keep_document ON headgate.workflow_executions;
DROP TRIGGER keep_document_of_new ON headgate.workflow_executions;
DROP TRIGGER keep_document ON headgate.workflows;
DROP FUNCTION headgate.drop_run_document, headgate.keep_run_document, headgate.keep_workflow_document;
DROP TABLE headgate.upkeep_days, headgate.recommendations, headgate.run_documents, headgate.workflow_documents;
DROP FUNCTION headgate.document, headgate.workflow_document, headgate.owner_word, headgate.words;
