"""Every action that Wagtail offers for a page. Each says whether it did what it is for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from wagtail.fields import StreamField
from wagtail.models import Page, PageViewRestriction, Revision, WorkflowState

from tests.cms.actions.walker import Answer, Walker, fill
from tests.cms.actions.world import Kind

Action = Callable[[Walker, Kind], bool]
ACTIONS: dict[str, Action] = {}


def action(does: Action) -> Action:
    ACTIONS[does.__name__] = does
    return does


def url(name: str, *args: object) -> str:
    return reverse(f"wagtailadmin_pages:{name}", args=args)


def page_form(walker: Walker, path: str, kind: Kind) -> QueryDict | None:
    """Return the fields of the page's form. Blocks are added by scripts, so there are none."""
    form = walker.form(path, "page-edit-form")
    if form is not None:
        for stream in kind.page.specific_class._meta.get_fields():
            if isinstance(stream, StreamField):
                form[f"{stream.name}-count"] = "0"
    return form


def send_form(walker: Walker, path: str, kind: Kind, **fields: Any) -> None:
    if (form := page_form(walker, path, kind)) is not None:
        walker.send(path, fill(form, **fields))


def now(page: Page) -> Any:
    return Page.objects.get(pk=page.pk)


# Making pages


def _add_url(kind: Kind) -> str:
    model = kind.page.specific_class
    return url("add", model._meta.app_label, model._meta.model_name, kind.parent.pk)


def _made(kind: Kind, send: Callable[[], object]) -> Page | None:
    before = set(Page.objects.values_list("pk", flat=True))
    send()
    new = Page.objects.exclude(pk__in=before)
    assert new.count() <= 1, "more than one page was made"
    return new.first()


def _add(walker: Walker, kind: Kind, **fields: Any) -> Page | None:
    return _made(kind, lambda: send_form(walker, _add_url(kind), kind, **kind.fields(), **fields))


@action
def create_draft(walker: Walker, kind: Kind) -> bool:
    page = _add(walker, kind)
    return page is not None and not page.live


@action
def create_by_autosave(walker: Walker, kind: Kind) -> bool:
    form = page_form(walker, _add_url(kind), kind)
    if form is None:
        return False
    page = _made(kind, lambda: walker.save(_add_url(kind), fill(form, **kind.fields())))
    return page is not None and not page.live


@action
def create_published(walker: Walker, kind: Kind) -> bool:
    page = _add(walker, kind, **{"action-publish": "action-publish"})
    return page is not None and page.live


@action
def create_after_autosave(walker: Walker, kind: Kind) -> bool:
    """Publish the form that autosave has just stored: one page comes of both."""
    form = page_form(walker, _add_url(kind), kind)
    if form is None:
        return False
    form = fill(form, **kind.fields())

    def save_and_publish() -> None:
        walker.save(_add_url(kind), form)
        walker.send(_add_url(kind), fill(form, **{"action-publish": "action-publish"}))

    page = _made(kind, save_and_publish)
    return page is not None and page.live


# Editing


def _edit(walker: Walker, kind: Kind, **fields: Any) -> bool:
    before = now(kind.page).latest_revision_id
    send_form(walker, url("edit", kind.page.pk), kind, **fields)
    return bool(now(kind.page).latest_revision_id != before)


@action
def open_form(walker: Walker, kind: Kind) -> bool:
    return page_form(walker, url("edit", kind.page.pk), kind) is not None


@action
def autosave(walker: Walker, kind: Kind) -> bool:
    before = now(kind.page).latest_revision_id
    form = page_form(walker, url("edit", kind.page.pk), kind)
    if form is None:
        return False
    walker.save(url("edit", kind.page.pk), form)
    return bool(now(kind.page).latest_revision_id != before)


@action
def save_draft(walker: Walker, kind: Kind) -> bool:
    return _edit(walker, kind)


@action
def publish(walker: Walker, kind: Kind) -> bool:
    done = _edit(walker, kind, **{"action-publish": "action-publish"})
    page = now(kind.page)
    return done and page.live and page.live_revision_id == page.latest_revision_id


@action
def schedule(walker: Walker, kind: Kind) -> bool:
    soon = timezone.now() + timedelta(days=3)
    form = page_form(walker, url("edit", kind.page.pk), kind)
    if form is not None and "go_live_at" not in form:
        walker.finds_no_button()
        return False
    if not _edit(
        walker,
        kind,
        go_live_at=soon.strftime("%Y-%m-%d %H:%M"),
        expire_at=(soon + timedelta(days=3)).strftime("%Y-%m-%d %H:%M"),
        **{"action-publish": "action-publish"},
    ):
        return False
    return now(kind.page).scheduled_revision is not None


@action
def cancel_schedule(walker: Walker, kind: Kind) -> bool:
    if not schedule(walker, kind):
        return False
    walker.send(url("revisions_unschedule", kind.page.pk, now(kind.page).scheduled_revision.pk))
    return now(kind.page).scheduled_revision is None


@action
def preview(walker: Walker, kind: Kind) -> bool:
    form = page_form(walker, url("edit", kind.page.pk), kind)
    if form is None:
        return False
    path = url("preview_on_edit", kind.page.pk)
    walker.send(path, form)
    return all(walker.look(path, {"mode": mode}).status == 200 for mode, _name in kind.page.specific.preview_modes)


def _shows_page(answer: Answer) -> bool:
    """Whether this is the page, and not the admin's first page with a refusal."""
    return "<main" in answer.content and not answer.sentences


@action
def view_draft(walker: Walker, kind: Kind) -> bool:
    return _shows_page(walker.look(url("view_draft", kind.page.pk)))


@action
def unpublish(walker: Walker, kind: Kind) -> bool:
    walker.fill(url("unpublish", kind.page.pk))
    return not now(kind.page).live


# The tree


def _copy(walker: Walker, kind: Kind, **ticked: Any) -> Page | None:
    is_only_one = kind.page.specific_class.max_count_per_parent == 1
    parent = kind.moves_to if is_only_one and kind.moves_to else kind.page.get_parent()
    before = set(Page.objects.values_list("pk", flat=True))
    boxes: dict[str, Any] = {name: ticked.get(name) for name in ("copy_subpages", "publish_copies", "alias")}
    walker.fill(
        url("copy", kind.page.pk),
        new_title="A copy",
        new_slug="a-copy",
        new_parent_page=str(parent.pk),
        **boxes,
    )
    made = Page.objects.exclude(pk__in=before).order_by("path")
    assert_copies_are_reachable(list(made))
    return made.first()


def assert_copies_are_reachable(pages: list[Page]) -> None:
    """A page that lists as live has an address that answers."""
    for page in pages:
        specific: Any = page.specific
        if page.live and hasattr(specific, "subject"):
            assert specific.subject is not None, f"{page} is live and has no address"


@action
def copy(walker: Walker, kind: Kind) -> bool:
    page = _copy(walker, kind)
    return page is not None and not page.live and page.numchild == 0


@action
def copy_with_subpages(walker: Walker, kind: Kind) -> bool:
    page = _copy(walker, kind, copy_subpages="on")
    return page is not None and page.get_descendants().count() == kind.page.get_descendants().count()


@action
def copy_and_publish(walker: Walker, kind: Kind) -> bool:
    page = _copy(walker, kind, publish_copies="on", copy_subpages="on")
    return page is not None and page.live


@action
def copy_as_alias(walker: Walker, kind: Kind) -> bool:
    page = _copy(walker, kind, alias="on")
    return page is not None and page.alias_of_id == kind.page.pk


@action
def copy_as_alias_with_subpages(walker: Walker, kind: Kind) -> bool:
    page = _copy(walker, kind, alias="on", copy_subpages="on")
    return page is not None and page.alias_of_id == kind.page.pk


@action
def convert_alias(walker: Walker, kind: Kind) -> bool:
    alias = _copy(walker, kind, alias="on")
    if alias is None:
        return False
    walker.fill(url("convert_alias", alias.pk))
    return now(alias).alias_of_id is None


@action
def move(walker: Walker, kind: Kind) -> bool:
    target = kind.moves_to or kind.parent
    walker.look(url("move", kind.page.pk))
    walker.fill(url("move_confirm", kind.page.pk, target.pk))
    return bool(now(kind.page).get_parent().pk == target.pk != kind.page.get_parent().pk)


@action
def reorder(walker: Walker, kind: Kind) -> bool:
    before = now(kind.page).path
    siblings = list(kind.page.get_parent().get_children())
    position = 0 if siblings[0].pk != kind.page.pk else len(siblings) - 1
    answer = walker.send(f"{url('set_page_position', kind.page.pk)}?position={position}")
    return answer.status == 200 and (len(siblings) == 1 or now(kind.page).path != before)


@action
def delete(walker: Walker, kind: Kind) -> bool:
    walker.fill(url("delete", kind.page.pk), confirm_site_name=None)
    return not Page.objects.filter(pk=kind.page.pk).exists()


def _bulk(walker: Walker, kind: Kind, name: str, **fields: Any) -> bool:
    path = reverse("wagtail_bulk_action", args=["wagtailcore", "page", name])
    both = f"{path}?id={kind.page.pk}&next=/cms/pages/"
    return walker.fill(both, **fields) is not None


@action
def bulk_publish(walker: Walker, kind: Kind) -> bool:
    Page.objects.filter(pk=kind.page.pk).update(live=False)
    _bulk(walker, kind, "publish", include_descendants="on")
    return bool(now(kind.page).live)


@action
def bulk_unpublish(walker: Walker, kind: Kind) -> bool:
    _bulk(walker, kind, "unpublish", include_descendants="on")
    return not now(kind.page).live


@action
def bulk_move(walker: Walker, kind: Kind) -> bool:
    target = kind.moves_to or kind.parent
    _bulk(walker, kind, "move", chooser=str(target.pk))
    if "The following pages cannot be moved to" in walker.said.content:
        walker.finds_no_button()  # Wagtail says so in a paragraph like any other
    return bool(now(kind.page).get_parent().pk == target.pk != kind.page.get_parent().pk)


@action
def bulk_delete(walker: Walker, kind: Kind) -> bool:
    _bulk(walker, kind, "delete")
    return not Page.objects.filter(pk=kind.page.pk).exists()


# History


@action
def history(walker: Walker, kind: Kind) -> bool:
    return walker.look(url("history", kind.page.pk)).status == 200 and not walker.said.sentences


@action
def usage(walker: Walker, kind: Kind) -> bool:
    return walker.look(url("usage", kind.page.pk)).status == 200 and not walker.said.sentences


def _revisions(kind: Kind) -> list[Revision]:
    return list(now(kind.page).revisions.order_by("pk"))


@action
def view_revision(walker: Walker, kind: Kind) -> bool:
    return _shows_page(walker.look(url("revisions_view", kind.page.pk, _revisions(kind)[0].pk)))


@action
def compare(walker: Walker, kind: Kind) -> bool:
    first, last = _revisions(kind)[0], _revisions(kind)[-1]
    answer = walker.look(url("revisions_compare", kind.page.pk, first.pk, last.pk))
    return answer.status == 200 and not answer.sentences


@action
def revert(walker: Walker, kind: Kind) -> bool:
    first, before = _revisions(kind)[0], now(kind.page).latest_revision_id
    form = page_form(walker, url("revisions_revert", kind.page.pk, first.pk), kind)
    if form is None:
        return False
    walker.send(url("edit", kind.page.pk), form)
    return bool(now(kind.page).latest_revision_id != before)


# Who may


@action
def lock(walker: Walker, kind: Kind) -> bool:
    walker.send(url("lock", kind.page.pk))
    return bool(now(kind.page).locked)


@action
def unlock(walker: Walker, kind: Kind) -> bool:
    Page.objects.filter(pk=kind.page.pk).update(locked=True, locked_by=walker.user, locked_at=timezone.now())
    walker.send(url("unlock", kind.page.pk))
    return not now(kind.page).locked


def _privacy(walker: Walker, kind: Kind, restriction: str, **fields: Any) -> bool:
    path = url("set_privacy", kind.page.pk)
    walker.look(path)
    walker.send(path, {"restriction_type": restriction, "password": "", **fields})
    return bool(PageViewRestriction.objects.filter(page=kind.page, restriction_type=restriction).exists())


@action
def private_by_password(walker: Walker, kind: Kind) -> bool:
    return _privacy(walker, kind, "password", password="open sesame")


@action
def private_by_sign_in(walker: Walker, kind: Kind) -> bool:
    return _privacy(walker, kind, "login")


@action
def private_by_group(walker: Walker, kind: Kind) -> bool:
    return _privacy(walker, kind, "groups", groups=[Group.objects.earliest("pk").pk])


# Workflow


def _submit(walker: Walker, kind: Kind) -> WorkflowState | None:
    form = page_form(walker, url("edit", kind.page.pk), kind)
    if form is None:
        return None
    if 'name="action-submit"' not in walker.said.content:
        walker.finds_no_button()
        return None
    walker.send(url("edit", kind.page.pk), fill(form, **{"action-submit": "action-submit"}))
    state: WorkflowState | None = now(kind.page).current_workflow_state
    return state


def _decide(walker: Walker, kind: Kind, name: str) -> WorkflowState | None:
    state = _submit(walker, kind)
    if state is None:
        return None
    args = kind.page.pk, name, state.current_task_state.pk
    walker.look(url("collect_workflow_action_data", *args))
    walker.send(url("workflow_action", *args), {"comment": "Because."})
    state.refresh_from_db()
    return state


@action
def submit(walker: Walker, kind: Kind) -> bool:
    return _submit(walker, kind) is not None


@action
def approve(walker: Walker, kind: Kind) -> bool:
    state = _decide(walker, kind, "approve")
    return state is not None and state.status == WorkflowState.STATUS_APPROVED and now(kind.page).live


@action
def reject(walker: Walker, kind: Kind) -> bool:
    state = _decide(walker, kind, "reject")
    return state is not None and state.status == WorkflowState.STATUS_NEEDS_CHANGES


@action
def cancel_workflow(walker: Walker, kind: Kind) -> bool:
    state = _submit(walker, kind)
    if state is None:
        return False
    walker.look(url("confirm_workflow_cancellation", kind.page.pk))
    send_form(walker, url("edit", kind.page.pk), kind, **{"action-cancel-workflow": "true"})
    state.refresh_from_db()
    return bool(state.status == WorkflowState.STATUS_CANCELLED)


@action
def workflow_history(walker: Walker, kind: Kind) -> bool:
    return walker.look(url("workflow_history", kind.page.pk)).status == 200 and not walker.said.sentences


@action
def list_pages_of_the_type(walker: Walker, kind: Kind) -> bool:
    meta = kind.page.specific_class._meta
    answer = walker.look(url("type_use", meta.app_label, meta.model_name))
    if answer.status == 200 and not kind.page.permissions_for_user(walker.user).can_edit():
        walker.finds_no_button()  # the list leaves out what its reader may not see
    return kind.page.specific.get_admin_display_title() in answer.content
