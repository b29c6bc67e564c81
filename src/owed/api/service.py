"""What handlers work with: the parts of one worker, made once and handed to each request."""

import msgspec

from owed.api.access import Access
from owed.api.metrics import Metrics
from owed.api.pagination import CursorSigner
from owed.api.rate_limit import RateLimit
from owed.api.room import Room
from owed.api.shared_metrics import SharedMetrics
from owed.database.pool import Pool
from owed.engine.engine import Engine
from owed.store.attempts import Attempts
from owed.store.audit import AuditLog
from owed.store.endpoint_reads import EndpointReads
from owed.store.entries import Entries
from owed.store.events import Events
from owed.store.feed import Feed
from owed.store.lists import Lists
from owed.store.lookups import Lookups
from owed.store.past import Past
from owed.store.redaction import Redaction
from owed.store.streams import Streams
from owed.store.trial_balance import TrialBalances
from owed.store.unallocated import UnallocatedMoney
from owed.webhooks.addresses import Policy
from owed.webhooks.sender import Sender


class Service(msgspec.Struct, frozen=True):
    """One worker's parts."""

    pool: Pool
    engine: Engine
    lookups: Lookups
    lists: Lists
    entries: Entries
    audit: AuditLog
    redaction: Redaction
    events: Events
    feed: Feed
    endpoints: EndpointReads
    webhook_policy: Policy
    attempts: Attempts
    sender: Sender
    tests: Room
    past: Past
    trial_balances: TrialBalances
    unallocated: UnallocatedMoney
    streams: Streams
    reports: Room
    exports: Room
    access: Access
    cursors: CursorSigner
    rate_limit: RateLimit
    metrics: Metrics
    shared_metrics: SharedMetrics
