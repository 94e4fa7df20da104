"""What is made of records as they come: runs, incidents, the overview; and the kill switch."""
