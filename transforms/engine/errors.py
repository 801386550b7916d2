"""User-facing errors: each message is one line that names what is at fault and how to mend it."""


class CotmillError(Exception):
    """Shown as one line, without a traceback; the command exits with `status`."""

    status = 1


class _WithStatus(CotmillError):
    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Interrupted(_WithStatus):
    """A signal ended the run in good order."""


class NoRows(_WithStatus):
    """A run has finished, and no row was accepted."""


class Sent(CotmillError):
    """A job was sent to run elsewhere, and is not waited for."""

    status = 0


class Unexpected(CotmillError):
    """A fault of cotmill's, or of a stage of the user's: its traceback is in a file."""


class SettingsError(CotmillError):
    """A setting is unknown, of the wrong type or out of bounds."""


class RunFolderError(CotmillError):
    """The output folder cannot be used as asked."""


class StoreError(CotmillError, OSError):
    """An object store fails, or does not let this process in."""


class SourceError(CotmillError):
    """A source cannot be read."""


class BackendError(CotmillError):
    """The model cannot be loaded or reached."""


class LedgerMiss(CotmillError):
    """A replayed request is not in the ledger."""


class LedgerError(CotmillError):
    """The ledger cannot be used as asked."""


class BudgetReached(CotmillError):
    """The run has spent what it may."""


class SandboxError(CotmillError):
    """The sandbox cannot start as asked."""


class PublishError(CotmillError):
    """A run cannot be published as asked."""


class AccountingError(CotmillError):
    """Counts do not add up; the run's rows must not be used."""


def one_line(error: BaseException) -> str:
    """An error's message on one line of at most 500 characters; its type where it has none.

    >>> one_line(ValueError(" no number:\\n'x' "))
    "no number: 'x'"
    """
    return " ".join(str(error).split())[:500] or type(error).__name__


def typed_line(error: BaseException) -> str:
    """The same behind the error's type, which says what many a message leaves out.

    >>> typed_line(KeyError("id")), typed_line(TimeoutError())
    ("KeyError: 'id'", 'TimeoutError')
    """
    name = type(error).__name__
    return f"{name}: {one_line(error)}" if str(error).strip() else name


def first_line(error: BaseException) -> str:
    """The first line of an error's message; its type where it has none.

    For libraries that put the matter first, and advice and context below it.
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
