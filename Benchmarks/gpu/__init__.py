"""What is particular to a run on a GPU: finding its driver, the sizes, the floors, the tables."""
