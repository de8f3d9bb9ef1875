"""What `Benchmarks/run` is made of: measuring, the questions with their competitors, and the report."""
