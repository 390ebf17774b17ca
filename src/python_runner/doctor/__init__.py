"""What `check` and `doctor` find out about projects and about this computer."""
