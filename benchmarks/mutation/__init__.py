"""Mutants of a row's texts, and other ways to write them: what the verifier is proved with.

It uses nothing of the verifier. A mutation is one row of a table of its language's file.
"""
