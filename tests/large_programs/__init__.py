"""Networks too large, or too many, for a test: programs that compare what ships with the libraries that people run."""
