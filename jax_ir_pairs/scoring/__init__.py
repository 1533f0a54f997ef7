"""Grades what a model writes: reads it, runs it, and holds it against a row."""
