"""From a request to a run that has begun, or waits for room."""
