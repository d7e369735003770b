"""The lake in an object store: the store by its protocol (`bucket`), and which one an installation has (`keeping`)."""
