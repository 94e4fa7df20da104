"""What people write, in YAML or JSON -> checked values, or every problem with its place."""
