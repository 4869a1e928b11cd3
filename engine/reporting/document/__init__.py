"""A report as blocks, from which Markdown and HTML are made: no block knows which of them it will be."""
