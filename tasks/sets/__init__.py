"""What a release holds to train and to evaluate with: the held-out split, and the sets made of the rows."""
