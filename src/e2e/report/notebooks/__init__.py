"""What the notebooks use: the results of a task, tables and sentences of them, and pages to print."""
