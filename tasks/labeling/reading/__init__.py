"""What can be read off a pytest file without running it."""
