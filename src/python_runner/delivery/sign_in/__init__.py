"""Mail in the name of a user who signed in once: signing in, what is kept, renewing it."""
