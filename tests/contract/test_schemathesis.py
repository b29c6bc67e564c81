"""Whatever is sent, the service answers as its own OpenAPI document says."""

import subprocess
import sys
from pathlib import Path

from tests.contract.service import Merchant, Service

EXAMPLES = "6"
"""Of each operation, beside the bounds of everything, which are walked whatever this says: about 300 in all."""

MORE_THAN_A_SCHEMA_SAYS = ("positive_data_acceptance",)
"""No schema can say that a reference is taken, a version has passed, or that three capitals are no currency."""

SAME_AS_OTHERS = ".*Account(Charge|Credit)s?"
"""Charges and credits of accounts have the forms and the handlers of those of customers."""

REFUSED_BEFORE_THE_FORM = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, "5xx"]
"""
"""A stale `If-Match` is told before the body is looked at (contract, 1.1), so bad data may be answered 412 too."""


def test_every_answer_is_one_that_the_document_tells_of(
    service: Service, fresh_merchant: Merchant, tmp_path: Path
) -> None:
    """Schemathesis with a real key: no 5xx; each status, media type, header and body is as described.

    It also finds: a key that is not asked for, a method that is not refused, and bad data that is taken. The merchant
    is the module's own, for the settings are changed too.
    """
    (tmp_path / "schemathesis.toml").write_text(REFUSED_BEFORE_THE_FORM)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{service.port}/openapi.json"]
    options = ["--max-examples", EXAMPLES, "--exclude-checks", ",".join(MORE_THAN_A_SCHEMA_SAYS), "--no-color"]
    options += ["--exclude-operation-id-regex", SAME_AS_OTHERS]
    header = ["--header", f"Authorization: Bearer {fresh_merchant.keys['sk_test']}", "--generation-database", "none"]
    done = subprocess.run([*command, *options, *header], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
