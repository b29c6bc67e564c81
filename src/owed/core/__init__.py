"""The verbs: what a command does to what stands. Pure: no I/O, no clock, no chance; those are handed in."""
