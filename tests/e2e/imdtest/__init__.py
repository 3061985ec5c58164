"""Runs the real imd and talks to it as real clients do."""
