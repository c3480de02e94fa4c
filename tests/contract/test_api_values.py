"""Every operation of the API on PostgreSQL, which fails at values that SQLite takes: NUL, half a pair, large numbers.

`tests/wire/portal/test_api_operations.py` asks for more of them, on SQLite.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from django.db import connections

from tests.api_token import new_home
from tests.postgres import PostgresServer
from tests.wire.portal.pages import Portal, unlock
from tests.wire.portal.test_api import Script, script_of
from tests.wire.portal.test_api_operations import LARGE, OPERATIONS, Operation, call_oddly, odd_requests

ODD: Final = ("\0", "\ud800", str(LARGE), LARGE, ["\0"])


@pytest.fixture(scope="module")
def script(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Script]:
    url = postgres.create_database("api")
    home: Path = new_home(tmp_path_factory.mktemp("api"), "--database-url", url)
    yield script_of(Portal.open(home, unlock(home)))
    connections.close_all()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_values_that_postgresql_does_not_take_are_refused(script: Script, operation: Operation) -> None:
    for url, body in odd_requests(operation, ODD):
        call_oddly(script, operation, url, body)
