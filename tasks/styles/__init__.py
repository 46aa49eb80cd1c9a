"""Rows told in another style, and verified again."""
