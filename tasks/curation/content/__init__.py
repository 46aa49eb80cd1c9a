"""Safety of content: secrets, personal data, offensive words, and code that reaches out of its folder."""

import logging

logging.getLogger("stevedore").setLevel(logging.CRITICAL)  # Bandit looks for its formatters, and misses those of extras
