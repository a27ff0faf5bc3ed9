"""Errors that a user can mend: one line each, exit code 2 on the command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Something the caller gave cannot be used; the message is one line.

    It says what was given, what is allowed and, for names, the nearest match.
    """


def unknown_name(what: str, given: object, allowed: Iterable[object]) -> UsageError:
    """A `UsageError` for a name that is not among those allowed."""
    names = [str(name) for name in allowed]
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(str(given).casefold(), folded, n=1, cutoff=0.5)
    hint = f" (did you mean {folded[near[0]]!r}?)" if near else ""
    return UsageError(f"unknown {what} {str(given)!r}{hint}; allowed: {', '.join(names)}")
