"""Pytest fixtures for apps built on penstock."""
