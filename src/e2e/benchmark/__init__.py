"""Measuring inference, and the statistics of measuring."""
