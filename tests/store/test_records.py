from owed.model.event import Event
from owed.model.transfer import Transfer
from owed.store.records import INSERT_EVENTS, INSERT_TRANSFERS


def test_the_members_of_what_is_recorded_are_in_the_order_of_its_table() -> None:
    assert [name for name, _ in INSERT_TRANSFERS.columns] == list(Transfer.__struct_fields__)
    assert [name for name, _ in INSERT_EVENTS.columns] == list(Event.__struct_fields__)
