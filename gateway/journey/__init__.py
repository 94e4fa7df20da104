"""What a request meets between the stages: its case, its judge, its reservations, its hold."""
