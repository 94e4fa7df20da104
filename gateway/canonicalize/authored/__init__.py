"""What people write: mapper files, the taxonomy, addresses and templates -> compiled operations."""
