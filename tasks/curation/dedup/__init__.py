"""Duplicates among questions: exact, near and semantic ones, found over blocks of rows that any worker can take.

Every block is signed alone. Pairs are then sought by bands of the MinHash signatures and by cells of the vectors, each
group of bands or cells by itself; what all of them found is joined into clusters. Nothing depends on how many workers
there are, and no step compares every row with every other.
"""
