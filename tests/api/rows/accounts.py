"""People and countries."""

from __future__ import annotations

from tests.api.world import Row, World

ROWS = (
    Row("countries_list", "oooooooo"),
    Row("users_me_retrieve", "fooooofo"),
    Row("users_me_partial_update", "fooooofo", body={"name": "Ada"}),
    Row("users_me_partial_update", "fbbbbbfb", body={"password": "another"}),
    Row("users_current_user_retrieve", "fooooofo"),
    Row("users_current_user_partial_update", "fooooofo", body={"name": "Ada"}),
    Row("userinfo_retrieve", "fooooofo"),
    Row("users_retrieve", "fonnnnfo", {"id": "{learner}"}),
    Row("user_search_list", "fffffffo"),
    Row("user_search_retrieve", "fffffffo", {"id": "{learner}"}),
)


def make_things(world: World) -> None:
    """Everyone’s ids by what they are."""
    world.things |= {kind: str(someone.pk) for kind, someone in world.people.items()}
