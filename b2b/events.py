@dataclass(frozen=True)
class ReconcileRequested(Event):
    """A contract's runs, products and codes shall be brought in line with its terms."""

    contract_id: int
