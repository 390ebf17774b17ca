"""Tells other computers how runs went, and reads what they tell: files in one folder."""
