"""Simulation: a world of merchants, clients and workers in one process, in which much goes wrong, from a seed."""
