"""How a worker stops a query for a reason of its own."""

from integrated_data.model.query import Failure


class Ended(Exception):  # noqa: N818 - how the worker stops itself, not an error of the code
    """The query ends here for a reason of the worker's own."""

    def __init__(self, failure: Failure, named: str = "") -> None:
        super().__init__(failure.value)
        self.failure, self.named = failure, named
