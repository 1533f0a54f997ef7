"""Answers of a model, scored against the rows that they are about."""
