"""A real Kubernetes on a bare machine: built, started and stopped by one command."""
