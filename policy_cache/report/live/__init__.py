"""What happens, as a person reads it and as a program does."""
