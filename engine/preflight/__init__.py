"""What a run will need, before it runs: plain arithmetic, without torch."""
