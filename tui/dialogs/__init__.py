"""Questions to the user that cover the screen until they are answered."""
