"""Errors that a user can mend: one line each, exit code 2 on the command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Something the caller gave cannot be used; the message is one line.

    It says what was given, what is allowed and, for names, the nearest match.
    """


def unknown_name(
    what: str, given: object, allowed: Iterable[object], limit: int | None = None, also: str = ""
) -> UsageError:
    """A `UsageError` for a name that is not among those allowed.

    limit: how many of them the line shows, the nearest first. also: what else is
    allowed that is no name.
    """
    names = [str(name) for name in allowed]
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(str(given).casefold(), folded, n=limit or 1, cutoff=0.5)
    hint = f" (did you mean {folded[near[0]]!r}?)" if near else ""
    if limit is not None and len(names) > limit:
        nearest = [folded[name] for name in near]
        shown = [*nearest, *(name for name in names if name not in nearest)][:limit]
        names = [*shown, f"and {len(names) - limit} more"]
    listed = ", ".join([*names, also] if also else names) or "none"
    return UsageError(f"unknown {what} {str(given)!r}{hint}; allowed: {listed}")
