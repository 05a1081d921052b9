"""What nodes are given to prove who they are."""
