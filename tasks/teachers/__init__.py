"""The teachers: OpenAI-compatible endpoints behind a durable response cache."""
