"""Compiling for another target than the CPU, from the trace that is there. Runs in the child."""
