"""Optimized HLO text made a module that runs again, as StableHLO. In the child."""
