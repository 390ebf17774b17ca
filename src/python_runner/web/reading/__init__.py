"""What the pages ask the records and the projects' folders: facts, no words."""
