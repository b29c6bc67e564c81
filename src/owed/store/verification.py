"""Verification of what is in PostgreSQL: read in short statements, stretch by stretch, while the service goes on.

Nothing is read twice, and no snapshot outlives a statement. What objects say is read first, and then their transfers:
those that an object counts are there for good, and what came later is not asked for.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, NamedTuple

import msgspec

from owed.core.verification.broken import Broken
from owed.core.verification.chain import Head
from owed.core.verification.ledger import LedgerCheck
from owed.core.verification.payments import Exactly, PaymentRow, Payments, Sides, Sums, TakenBackRow
from owed.core.verification.root import Root
from owed.database.pool import Connection
from owed.model.access import Mode
from owed.model.identifiers import PAYMENT, REFUND, REVERSAL, id_at, milliseconds
from owed.model.payment import Application
from owed.model.taken_back import Share
from owed.model.transfer import Transfer
