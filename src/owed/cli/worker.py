"""`owed worker`: a process that delivers webhooks. Any number of them share one database."""

import signal
import sys

import msgspec

from owed.cli import session
from owed.cli.delivering import deliver
from owed.cli.delivery_metrics import DeliveryMetrics
from owed.cli.options import DatabaseUrl, DataDir, settings_from
from owed.logs import configure


def worker(*, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Deliver webhooks until Ctrl-C or SIGTERM, and finish the attempts under way before leaving."""
    settings = settings_from(data_dir=data_dir, database_url=database_url)
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    configure(settings.log)
    if settings.database_url:
        deliver(settings, DeliveryMetrics(), is_local=False)
        return
    with session.current(settings) as dsn:
        deliver(msgspec.structs.replace(settings, database_url=dsn), DeliveryMetrics(), is_local=False)
