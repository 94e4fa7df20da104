"""What a request carries: path, query, body -> values, strictly; what is ambiguous is refused."""
