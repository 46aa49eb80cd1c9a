"""The audit of anybody's pairs: what verification finds out about tests, without a teacher."""
