"""Tables as drawn in a test, and the trainer of an index that needs none."""

import pyarrow as pa

from integrated_data.index.matching.train import Estimates, Task


class NoTrainer:
    """An index that learns its own weights, or has none to learn, asks for no match model."""

    def train(self, task: Task) -> Estimates:
        """Fail: nothing is to be trained."""
        raise AssertionError(task)


def drawn(picture: str) -> pa.Table:
    """A table as drawn; `.` stands for nothing."""
    lines = [[cell.strip() for cell in line.split("|")] for line in picture.strip().splitlines()]
    columns = zip(*lines[1:], strict=True)
    return pa.table({
        heading: pa.array([None if cell == "." else cell for cell in column], pa.string())
        for heading, column in zip(lines[0], columns, strict=True)
    })  # fmt: skip
