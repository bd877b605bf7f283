"""The errors a user can meet. Each says what was expected, what was found and what to do.

ChurnError
 |- DeclarationError   a dataset module contradicts itself
 |- SourceError        a raw table cannot be read as declared
 |- ContractError      a table broke its contract; nothing downstream may run
 |- NotMatureError     a label is asked for before it can be known
 |- ReleaseError       a release is missing, damaged or not the one expected
"""


class ChurnError(Exception):
    """Something a user can mend.

    Args:
        where: the thing at fault: a file, a table, a declaration.
        expected: what should have been there.
        found: what was there.
        remedy: what to do about it.
    """

    def __init__(self, where: str, *, expected: str, found: str, remedy: str) -> None:
        self.where, self.expected, self.found, self.remedy = where, expected, found, remedy
        super().__init__(f"{where}: expected {expected}; found {found}. {remedy}")


class DeclarationError(ChurnError):
    """A dataset module contradicts itself."""


class SourceError(ChurnError):
    """A raw table cannot be read as declared."""


class ContractError(ChurnError):
    """A table broke its contract; nothing downstream may run."""


class NotMatureError(ChurnError):
    """A label is asked for before it can be known."""


class ReleaseError(ChurnError):
    """A release is missing, damaged or not the one expected."""
