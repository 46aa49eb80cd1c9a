"""A run's rows in a browser on this machine: found, read, decided on, and run again."""
