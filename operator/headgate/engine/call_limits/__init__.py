"""Lets calls of the API pass, as many as the plan has."""
