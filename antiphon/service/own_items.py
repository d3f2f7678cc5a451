"""The items that a request brings along, as they are used and stored."""

from collections.abc import Callable, Sequence

from antiphon.core.item_ids import admit
from antiphon.errors import NotFound
from antiphon.ports import ResponseStore
from antiphon.wire.items import CompactionTrigger, Item, ItemReference, decode_item


async def own_items(
    items: Sequence[Item], tenant: str, store: ResponseStore, ids: Callable[[str], str], *, param: str = "input"
) -> tuple[Item, ...]:
    """The request's items, references resolved, each with an id. Raises: NotFound for an unknown reference."""
    wanted = [item.id for item in items if isinstance(item, ItemReference)]
    found = await store.find_items(tenant, wanted) if wanted else {}
    own: list[Item] = []
    for index, item in enumerate(items):
        if isinstance(item, ItemReference):
            if item.id not in found:
                raise NotFound(f"Item with id '{item.id}' not found.", param=f"{param}[{index}].id")
            own.append(decode_item(found[item.id]))
        elif not isinstance(item, CompactionTrigger):  # it asks for something, and says nothing
            own.append(admit(item, ids))
    return tuple(own)
