"""The data plane: an agent's bytes in, a governed request (or a refusal) out.

`pipeline.py` walks one request through the five stages `intercept`, `canonicalize`, `decide`,
`enforce` and `record`. The stages never import each other; they share the words in `model/`.
"""
