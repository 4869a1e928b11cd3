"""Several questions about one image in one sequence, with the very loss and gradients of separate samples."""
