"""The fast simulation behind the embedded default source."""
