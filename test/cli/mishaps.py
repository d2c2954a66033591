"""What befalls stores from outside: indexes lost or brought back, packs lost, brought back and exchanged.

Each takes a sound store and leaves it sound; in between no command gives wrong bytes, and losses are named.
"""
import os
import shutil

from killed_store import Fault, KilledStore

INDEX_HARMS = ("kept", "deleted", "cut short")


def index_of(store: KilledStore) -> str:
    return os.path.join(store.store, "index")


def harm_index(store: KilledStore, harm: str) -> None:
    store.say(f"# index {harm}")
    store.counts["index " + harm] += 1
    if harm == "deleted":
        shutil.rmtree(index_of(store))
    elif harm == "cut short":
        for file in sorted(os.listdir(index_of(store))):
            path = os.path.join(index_of(store), file)
            if os.path.isfile(path) and (size := os.path.getsize(path)):
                os.truncate(path, store.random.randrange(size))


def rebuild_sound(store: KilledStore) -> None:
    """Packs alone bring back every NAR and keep every removal."""
    store.settle()
    harm_index(store, store.random.choice(INDEX_HARMS))
    store.run("rebuild-index")
    store.check()


def rebuild_damaged(store: KilledStore) -> None:
    """With its index, a store knows every name that it lost; without, those that the other packs record."""
    store.check()
    store.damage()
    there = store.restore_all(codes=(0, 1))
    harm = store.random.choice(INDEX_HARMS)
    harm_index(store, harm)
    store.run("rebuild-index", codes=(0, 1))
    if harm != "kept":  # Removals that only the lost pack recorded are undone; nothing knows of them any more.
        store.names.relearn(store.listed())
    after = store.restore_all(codes=(0, 1))
    listed = store.listed()
    if harm == "kept":
        if there - after:
            raise Fault(f"rebuilding the index lost what was whole: {sorted(there - after)}")
        if forgotten := store.acknowledged.keys() - set(listed.values()):
            raise Fault(f"rebuilding the index forgot the names of what is lost: {sorted(forgotten)}")
    said = store.run("verify", "--content", "--repair", "--json", codes=(0, 1))
    named = {listed[name] for name in store.named_in(said)}  # Among them what was removed and collected, undone above.
    if unsaid := set(listed.values()) - after - named:
        raise Fault(f"it is listed and lost, and verify does not say so: {sorted(unsaid)}")
    store.ingest_again(named | (store.acknowledged.keys() - store.restore_all(codes=(0, 1))))


def old_index(store: KilledStore, go_on) -> None:
    """An index from a backup beside newer packs; the cure is to make it anew from the packs alone."""
    store.check()
    backup = store.store + ".index"
    shutil.copytree(index_of(store), backup)
    go_on()
    store.settle()
    shutil.rmtree(index_of(store))
    os.rename(backup, index_of(store))
    store.say("# an old index is brought back")
    store.counts["old index brought back"] += 1
    reads_old_names(store)
    shutil.rmtree(index_of(store))
    store.run("rebuild-index")
    store.check()


def reads_old_names(store: KilledStore) -> None:
    """What was removed since may be there again until the cure; the bytes are right all the same."""
    removed, store.names.removed = store.names.removed, set()
    store.restore_all(codes=(0, 1))
    store.names.removed = removed


def pack_returns(store: KilledStore, go_on) -> None:
    """A pack is away for a while, and others write meanwhile."""
    store.check()
    blob = store.random.choice(store.blobs())
    away = store.store + ".away"
    os.rename(blob, away)
    store.say(f"# away: {blob}")
    store.counts["packs away for a while"] += 1
    store.restore_all(codes=(0, 1))
    go_on()
    os.makedirs(os.path.dirname(blob), exist_ok=True)
    os.rename(away, blob)
    store.say(f"# back: {blob}")
    store.check_settled()


def packs_exchanged(store: KilledStore) -> None:
    """Two packs have each other's name: verify tells, and nothing comes out wrong."""
    store.check()
    blobs = store.blobs()
    if len(blobs) < 2:
        return
    one, other = store.random.sample(blobs, 2)
    store.counts["packs exchanged"] += 1
    exchange(store, one, other)
    store.restore_all(codes=(0, 1))
    store.run("verify", "--content", codes=(1,))
    exchange(store, one, other)
    store.check_settled()


def exchange(store: KilledStore, one: str, other: str) -> None:
    store.say(f"# exchanged: {one} {other}")
    os.rename(one, store.store + ".one")
    os.rename(other, one)
    os.rename(store.store + ".one", other)
