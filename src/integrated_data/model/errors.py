"""Every refusal the service can give, drawn as a tree.

Refusal                     what, why and what next; never a value from the data
├── UsageRefusal            the call's words are off                     (exit code 2)
├── ContractRefusal         a contract is wrong or lies about its file
├── DeliveryRefusal         a file cannot be read, or breaks its contract
├── StoreRefusal            a store of files (a feed's, the lake's) does not answer, or broke off
├── IndexRefusal            an index, a version or an entity is not there
├── AgreementRefusal        an agreement, person or project does not allow it
├── SignInRefusal           who asks did not show who they are
├── RoleRefusal             who asks has no role for it
├── QueryRefusal            the gate or the worker stopped a query
├── AbsentRefusal           what is named is not there, or not for who asks
├── BusyRefusal             too much is waiting; the same may be asked again later
├── RoomRefusal             disk or memory is not enough just now; what was begun goes on where it stood
├── CancelledRefusal        somebody stopped it; what was begun goes on where it stood
├── OutputRefusal           disclosure control holds a result back
├── AuditRefusal            the audit chain does not verify
└── InstallationRefusal     a key, a folder or a setting of the installation is missing
"""

import errno

#: How the system, the engine and the database say that the disk is full.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_SAID = ("No space left on device", "database or disk is full", "File too large", "max_temp_directory_size")
#: What SQLite calls it where it cannot make a file longer: its own, a log's, or that of memory that processes share.
_FULL_NAMED = ("SQLITE_FULL", *(f"SQLITE_IOERR_{at}" for at in ("WRITE", "TRUNCATE", "SHMOPEN", "SHMSIZE")))
#: How the engine says that its memory is used up.
_MEMORY_SAID = ("Out of Memory Error", "failed to allocate")
#: What DuckDB raises where Ctrl-C came while it asked Python for signals, and while Python read a file for it.
_DUCKDB_INTERRUPTED = {"RuntimeError": "Query interrupted", "Error": "KeyboardInterrupt: "}


class Refusal(Exception):  # noqa: N818 - the trade's word: the service refuses, it does not crash
    """One clear sentence: what happened, why, and what to do next.

    The text is shown to people and written to logs, so it never holds a value from the data.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        self.what, self.why, self.next_step = what, why, next_step
        super().__init__(" ".join(_sentence(part) for part in (what, why, next_step) if part))


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "?", "!")) else text + "."


class UsageRefusal(Refusal):
    """The command or call was put wrongly."""

    exit_code = 2


class ContractRefusal(Refusal):
    """A contract is not valid, or does not describe the file."""


class DeliveryRefusal(Refusal):
    """A delivered file cannot be read, or the load was rejected."""


class StoreRefusal(Refusal):
    """A store of files, a feed's or the lake's, does not answer, or a file broke off: it may pass."""


class IndexRefusal(Refusal):
    """An index, one of its versions, or an entity does not exist or cannot be built."""


class AgreementRefusal(Refusal):
    """The agreements, people or projects on record do not allow what was asked."""


class SignInRefusal(Refusal):
    """Somebody did not show who they are, or may not come in."""


class RoleRefusal(Refusal):
    """What somebody asked to do is not for their roles."""


class QueryRefusal(Refusal):
    """A query was stopped at the gate or in the worker."""


class AbsentRefusal(Refusal):
    """What was named is not there, or not for whoever asks: both are told alike."""


class BusyRefusal(Refusal):
    """Too much is asked at once; nothing is wrong with what was asked."""


class RoomRefusal(Refusal):
    """Disk or memory is not enough for it just now; what is published stays whole."""


class CancelledRefusal(Refusal):
    """Somebody asked for it to stop."""


class OutputRefusal(Refusal):
    """Disclosure control does not let this result leave."""


class AuditRefusal(Refusal):
    """The audit chain is broken."""


class InstallationRefusal(Refusal):
    """The installation lacks a key, a folder or a setting."""


def is_disk_full(error: BaseException | None) -> bool:
    """Whether an error, or what it arose from, says that the disk is full."""
    while error is not None:
        said = str(error)
        if (isinstance(error, OSError) and error.errno in _FULL) or any(text in said for text in _FULL_SAID):
            return True
        if getattr(error, "sqlite_errorname", "") in _FULL_NAMED:
            return True
        error = error.__cause__ or error.__context__
    return False


def is_interrupt(error: BaseException) -> bool:
    """Whether an error is Ctrl-C, or what DuckDB makes of it: it ended a statement, or the reading of a sealed file."""
    said = _DUCKDB_INTERRUPTED.get(type(error).__name__)
    return isinstance(error, KeyboardInterrupt) or (said is not None and str(error).startswith(said))


def is_memory_gone(error: BaseException | None) -> bool:
    """Whether an error, or what it arose from, says that memory is used up."""
    while error is not None:
        if isinstance(error, MemoryError) or any(text in str(error) for text in _MEMORY_SAID):
            return True
        error = error.__cause__ or error.__context__
    return False
