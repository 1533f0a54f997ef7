"""Faults that are really done to builds; what is killed here is of a build that the test began."""
