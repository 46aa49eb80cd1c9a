"""Benchmarks in their own columns, one module per format; each turns a row into an item."""
