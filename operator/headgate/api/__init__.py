"""Custom resources of the group ``headgate.dev`` as models; ``crds/`` is generated from them."""
