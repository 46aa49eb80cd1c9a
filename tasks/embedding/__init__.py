"""Vectors of texts, for whatever compares texts by meaning."""
