"""How long a run will take on so many workers, and what it will cost: a discrete-event simulation of its shards."""
