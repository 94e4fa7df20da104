"""The public forms in which a record proves itself: signed notes, checkpoints, the Merkle tree.

They are those of C2SP and RFC 6962; `gateway/record/README.md` has them to the byte. Pure, and of
the standard library and `cryptography` alone, since the offline verifier is made of them.
"""
