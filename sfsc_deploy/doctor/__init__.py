"""What a machine is, and what of the product it can build and run."""
