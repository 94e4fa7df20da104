"""The process itself: its clock, threads, tasks, log lines, and the manager that started it."""
