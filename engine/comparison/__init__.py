"""Comparison of subjects on the same images: who is meant, which evaluations, what differs, and what that is worth."""
