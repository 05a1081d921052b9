"""The object store: input and output, no decisions."""
