"""What the output of a script says about its end: text in, facts out."""
