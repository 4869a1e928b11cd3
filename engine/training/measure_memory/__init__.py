"""A measured preflight: a few real optimizer steps on the largest samples of a recipe, in a process of its own."""
