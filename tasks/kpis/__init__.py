"""The numbers that a team decides on, of one run and from run to run."""
