"""The sample store, and the readers that fill it."""
