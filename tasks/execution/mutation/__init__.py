"""Mutants of a solution, and what its tests make of them."""
