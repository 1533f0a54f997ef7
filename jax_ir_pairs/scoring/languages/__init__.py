"""The languages that an answer can be in: each becomes a StableHLO module. In the child."""
