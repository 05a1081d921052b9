"""A year of many workspaces' runs, made from a seed, and the same year as Argo's archive would hold it."""
