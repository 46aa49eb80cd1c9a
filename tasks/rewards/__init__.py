"""Rewards for reinforcement learning: completions judged by the tests of their rows, in the sandbox."""
