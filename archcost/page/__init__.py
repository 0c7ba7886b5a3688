"""The page of a report: one file that answers offline."""
