"""What a run leaves to be read by people and by scripts."""
