"""Training, evaluation, and the reference that a network must beat."""
