"""One parser a question. Each finds the answer anywhere in a text and returns a `Reading`."""
