"""User names that can't be mistaken for another's.

A new name consists of ASCII letters, digits and ``. - _``: then no two differ only by a letter from
another script, and no table of thousands of look-alikes is needed. What can still be confused in
ASCII (case, 0 and o, 1 and l and i, punctuation) is ignored when names are compared.
"""

from __future__ import annotations

import re

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import CharField, F, Func, Value
from django.db.models.functions import Lower

FORM = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
ALIKE = str.maketrans("01i", "oll", "._-")


def check(name: str) -> None:
    """Raises ValidationError for an invalid name, or one that looks like an existing user's."""
    if not FORM.fullmatch(name):
        raise ValidationError(
            "A user name consists of the letters a to z and digits, with dots, hyphens or"
            " underscores between them."
        )
    if is_taken(name):
        raise ValidationError("This name is taken, or too similar to one that is.")


def reserve(name: str) -> None:
    """Check again, and prevent anyone from taking a similar name until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_shape(name)])
    check(name)


def is_taken(name: str, *, but_by: int | None = None) -> bool:
    shape = Func(
        Lower(F("username")),
        Value("01i._-"),
        Value("oll"),
        function="translate",
        output_field=CharField(),
    )
    others = get_user_model().objects.annotate(shape=shape).filter(shape=_shape(name))
    return any(each != but_by for each in others.values_list("pk", flat=True))


def _shape(name: str) -> str:
    return name.lower().translate(ALIKE)
