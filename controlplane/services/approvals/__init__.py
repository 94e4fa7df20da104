"""What people are asked, what they answer, and what their yes is worth."""
