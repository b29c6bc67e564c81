"""How a check says what is wrong."""


class Broken(Exception):
    """Something is not as it was written.

    Attributes:
        sentence: What is wrong with it.
        object_id: Of the obligation, or of the payment, refund or reversal.
        version: Of the transfer where it shows, if it does at one.
    """

    def __init__(
        self, sentence: str, object_id: str, version: int | None = None, transfer_id: str | None = None
    ) -> None:
        place = f"{object_id}, version {version}, {transfer_id}" if version else object_id
        super().__init__(f"{place}: {sentence}")
        self.sentence, self.object_id, self.version, self.transfer_id = sentence, object_id, version, transfer_id
