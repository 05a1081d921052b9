"""Takes runs from node to node."""
