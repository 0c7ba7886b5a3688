"""Small models of libraries that build upon torch, a file for each library."""
