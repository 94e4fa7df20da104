"""The generated Python client of Kubernetes -> rows."""
