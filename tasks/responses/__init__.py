"""Reasoning models answer rows, and the rows' tests judge the answers."""
