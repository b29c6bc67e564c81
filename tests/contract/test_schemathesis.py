"""Whatever is sent, the service answers as its own OpenAPI document says."""

import subprocess
import sys
from pathlib import Path

from tests.contract.client import Client
from tests.contract.service import Service

EXAMPLES = "20"

MORE_THAN_A_SCHEMA_SAYS = ("positive_data_acceptance",)
"""No schema can say that a reference is taken, a version has passed, or that three capitals are no currency."""


def test_every_answer_is_one_that_the_document_tells_of(service: Service, client: Client, tmp_path: Path) -> None:
    """Schemathesis with a real key: no 5xx; each status, media type, header and body is as described.

    It also finds: a key that is not asked for, a method that is not refused, and bad data that is taken.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{service.port}/openapi.json"]
    options = ["--max-examples", EXAMPLES, "--exclude-checks", ",".join(MORE_THAN_A_SCHEMA_SAYS), "--no-color"]
    header = ["--header", f"Authorization: Bearer {client.key}", "--generation-database", "none"]
    done = subprocess.run([*command, *options, *header], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
