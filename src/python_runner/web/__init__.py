"""The dashboard: pages about the records, which only read."""
