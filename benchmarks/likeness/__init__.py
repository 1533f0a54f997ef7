"""How much a build is like real code: its sources, their figures, and the table of both."""
