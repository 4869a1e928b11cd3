"""The model's blocks with fewer and larger GPU kernels than the stock ones, with the same mathematics."""
