"""The doors a message leaves by; one method each."""
