"""What is known of a store's names: which it must have, which were removed and must stay away."""


class Fault(Exception):
    """What must never happen, in words."""


class NameLedger:
    """Learns from every command, and from each look at the list how those ended that were killed."""

    def __init__(self):
        self.known: dict[str, str] = {}          # the digest behind each name, at the last look
        self.removed: set[str] = set()           # acknowledged, or seen to be
        self.ingesting: set[str] = set()         # since the last look, perhaps killed
        self.perhaps_removed: list[set[str]] = []  # by removals that were killed since then

    def ingests(self, names) -> None:
        self.ingesting |= set(names)

    def removes(self, names, acknowledged: bool) -> None:
        if not acknowledged:
            self.perhaps_removed.append(set(names))
            return
        self.removed |= set(names)
        self.ingesting -= set(names)
        for others in self.perhaps_removed:  # What was still there for this one says nothing of those.
            others -= set(names)
        for name in names:
            self.known.pop(name, None)

    def may_come(self, name: str) -> bool:
        """Ingesting another NAR of its name keeps the older one as NAME~digits."""
        return name.split("~")[0] in self.ingesting

    def returned(self, names) -> set[str]:
        """Those of the names that were removed, and that nothing has brought back."""
        return {name for name in self.removed.intersection(names) if not self.may_come(name)}

    def look(self, listed: dict[str, str]) -> None:
        """Compares with a list that shows all that is durable."""
        if back := self.returned(listed):
            raise Fault(f"removed names are listed again: {sorted(back)}")
        for names in self.perhaps_removed:
            surely = {name for name in names if not self.may_come(name) and
                      sum(name in others for others in self.perhaps_removed) == 1}
            if surely & listed.keys() and surely - listed.keys():
                raise Fault(f"a removal was done by half: {sorted(surely - listed.keys())} are gone, the others not")
        perhaps = set().union(*self.perhaps_removed)
        if vanished := self.known.keys() - listed.keys() - perhaps:
            raise Fault(f"names are gone that nobody removed: {sorted(vanished)}")
        changed = {name for name in self.known.keys() & listed.keys()
                   if self.known[name] != listed[name] and not self.may_come(name)}
        if changed:
            raise Fault(f"names mean another NAR: {sorted(changed)}")
        self.removed |= perhaps
        self.relearn(listed)

    def relearn(self, listed: dict[str, str]) -> None:
        """Takes the list as it is: where packs and index were lost together, nobody can know better."""
        self.known = dict(listed)
        self.removed -= listed.keys()
        self.ingesting.clear()
        self.perhaps_removed.clear()
