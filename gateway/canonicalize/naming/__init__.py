"""What names say: words, verbs and kinds of operations, and which names are those of secrets."""
