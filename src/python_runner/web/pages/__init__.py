"""The pages, one module each: from what is known to what is said."""
