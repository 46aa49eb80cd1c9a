"""What programs of others import from kodforge."""
