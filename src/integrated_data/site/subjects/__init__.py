"""People whom data are about: who they are in the service, what of theirs there is, who objected or was erased."""
