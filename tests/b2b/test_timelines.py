"""What happened in a contract, with one of its codes, and to a person in it."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client

from b2b.enums import MailState, SignInChange
from b2b.models import ContractPage, ContractRun, HandOut, HandOutMail, SignInFact
from b2b.services.handouts.assign import assign_code
from b2b.services.handouts.mails import send_mails
from b2b.services.seats.membership import add_member, remove_member
from b2b.services.seats.redemption import redeem_enrollment_code
from cms.services.groups import B2B_MANAGERS
from ecommerce.models import DiscountCode
from mitxonline.coordinator.management.trace import print_traces
from mitxonline.kernel import clock
from mitxonline.kernel.timeline import SubjectKind, Timeline, Viewer, get_subject, tell_timeline, timeline_url
from mitxonline.kernel.trace import open_trace
from mitxonline.users.models import User
from tests.factories import codes_of, make_contract, make_contract_run, make_organization, make_user
from tests.support.counting import queries


def tell(kind: SubjectKind, key: object, user: User | None = None) -> Timeline:
    subject = get_subject(kind, str(key), viewer=Viewer(user))
    assert subject is not None
    return tell_timeline(subject, viewer=Viewer(user))


def sentences(timeline: Timeline) -> list[str]:
    return [str(entry.sentence) for entry in timeline.entries]


@pytest.fixture
def staff(db: None) -> User:
    return make_user("robin@staff.example", name="Robin Hale", is_staff=True, is_superuser=True)


@pytest.fixture
def _site(db: None) -> None:
    call_command("configure_wagtail", verbosity=0)


@pytest.fixture
def run(db: None) -> ContractRun:
    return make_contract_run(make_contract(make_organization(), name="Clinical skills", seats=5), codes=3)


def hand_out(code: DiscountCode, email: str, by: User) -> HandOut:
    with open_trace(f"hand-out-of-{code.pk}"):
        made = assign_code(code_id=code.pk, email=email, by_id=by.pk, now=clock.now())
    with open_trace("the-mail-worker"):
        send_mails(list(made.mails.values_list("pk", flat=True)))
    return made


def test_a_code_tells_from_its_hand_out_to_the_course(run: ContractRun, staff: User) -> None:
    learner = make_user("ada@people.example", name="Ada Byron")
    first, second, _third = codes_of(run)
    hand_out(first, learner.email, staff)
    hand_out(second, "grace@people.example", staff)
    redeem_enrollment_code(text=first.text, user_id=learner.pk, now=clock.now())
    told = sentences(tell(SubjectKind.CODE, first.pk))
    short = f"{first.text[:8]}…"
    assert told[0] == f"The code {short} was handed out to ada@people.example."
    assert "Invitation to ada@people.example: the mail server accepted it." in told
    assert f"The code {short} was used." in told
    assert "Ada Byron (ada@people.example) took a seat of Clinical skills." in told
    assert not any("grace@people.example" in sentence for sentence in told)
    person = sentences(tell(SubjectKind.PERSON, learner.pk))
    for sentence in told:
        assert sentence in person
    assert first.text not in "\n".join(told + person)


def test_a_person_with_the_shared_code_reads_no_other_invitation(run: ContractRun, staff: User) -> None:
    learner, code = make_user("ada@people.example", name="Ada Byron"), codes_of(run)[0]
    for email in (learner.email, "grace@people.example"):
        HandOut.objects.create(contract_run=run, code=code, is_shared=True, email=email, given_at=clock.now())
    redeem_enrollment_code(text=code.text, user_id=learner.pk, now=clock.now())
    person = "\n".join(sentences(tell(SubjectKind.PERSON, learner.pk, staff)))
    assert "handed out to ada@people.example" in person
    assert "grace@people.example" not in person
    assert "grace@people.example" in "\n".join(sentences(tell(SubjectKind.CODE, code.pk, staff)))


def test_a_mail_that_was_refused_is_a_problem(run: ContractRun, staff: User) -> None:
    made = hand_out(codes_of(run)[0], "ada@people.example", staff)
    made.mails.update(state=MailState.FAILED, reason="mailbox full")
    [problem] = tell(SubjectKind.CONTRACT, run.contract_id).problems
    assert problem.sentence == "Invitation to ada@people.example: E-mail failed."
    assert problem.details == ("mailbox full",)


def test_a_contract_tells_of_seats_sign_ins_and_withdrawals(run: ContractRun, staff: User) -> None:
    other = make_contract_run(make_contract(make_organization("Southgate"), name="Other skills", seats=5))
    learner, now = make_user("ada@people.example", name="Ada Byron"), clock.now()
    for contract_id in (run.contract_id, other.contract_id):
        add_member(contract_id=contract_id, user_id=learner.pk, now=now, added_by_id=staff.pk)
    SignInFact.objects.create(
        user=learner, at=now, change=SignInChange.CONTRACT_FULL, contract_id=run.contract_id, detail="5 of 5"
    )
    later = now + timedelta(minutes=1)
    remove_member(contract_id=run.contract_id, user_id=learner.pk, reason="left us", now=later, removed_by_id=staff.pk)
    timeline = tell(SubjectKind.CONTRACT, run.contract_id)
    told = sentences(timeline)
    assert "Ada Byron (ada@people.example)’s access to Clinical skills was withdrawn." in told
    assert "At a sign-in of Ada Byron (ada@people.example): No seat: the contract is full (Clinical skills)." in told
    assert not any("Other skills" in sentence for sentence in told)
    withdrawn = next(entry for entry in timeline.entries if "withdrawn" in entry.sentence)
    assert (withdrawn.details, withdrawn.person) == (("left us",), "Robin Hale (robin@staff.example)")


def test_what_one_hand_out_did_is_a_group(run: ContractRun, staff: User) -> None:
    code = codes_of(run)[0]
    hand_out(code, "ada@people.example", staff)
    [group] = [
        group
        for group in tell(SubjectKind.CONTRACT, run.contract_id).groups()
        if group.trace_id == f"hand-out-of-{code.pk}" and group.is_shared
    ]
    assert any("was handed out to" in entry.sentence for entry in group.entries)


def in_group(name: str) -> tuple[User, Client]:
    user, client = make_user(is_staff=False), Client()
    user.groups.add(Group.objects.get(name=name))
    client.force_login(user)
    return user, client


@pytest.mark.parametrize(("permission", "may_open"), [("view_discount", False), ("view_contractpage", True)])
def test_a_contracts_code_is_linked_for_those_who_see_contracts(
    run: ContractRun, staff: User, permission: str, may_open: bool
) -> None:
    learner, code = make_user("ada@people.example"), codes_of(run)[0]
    hand_out(code, learner.email, staff)
    redeem_enrollment_code(text=code.text, user_id=learner.pk, now=clock.now())
    reader = make_user("reader@staff.example", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename__in=["view_user", permission]))
    told = tell(SubjectKind.PERSON, learner.pk, User.objects.get(pk=reader.pk))
    assert any("was used." in sentence for sentence in sentences(told))
    linked = {link.url for entry in told.entries for link in entry.links}
    assert (timeline_url(SubjectKind.CODE, code.pk) in linked) is may_open


@pytest.mark.usefixtures("_site")
def test_who_looks_after_contracts_reads_theirs_and_no_order() -> None:
    run = make_contract_run(make_contract(make_organization(), name="Clinical skills"), codes=1)
    user, client = in_group(B2B_MANAGERS)
    assert client.get(timeline_url(SubjectKind.CONTRACT, run.contract_id)).status_code == 200
    assert client.get(timeline_url(SubjectKind.CODE, codes_of(run)[0].pk)).status_code == 200
    for kind, key in ((SubjectKind.CONTRACT, 0), (SubjectKind.ORDER, 1), (SubjectKind.PERSON, user.pk)):
        assert client.get(timeline_url(kind, key)).status_code == 404
    found = client.post("/cms/timeline/", {"q": "clinical SKILLS"})
    assert found.headers["Location"] == timeline_url(SubjectKind.CONTRACT, run.contract_id)


def test_contracts_with_one_name_are_chosen_from(run: ContractRun, staff: User) -> None:
    make_contract(make_organization("Southgate"), name="Clinical skills")
    client = Client()
    client.force_login(staff)
    answer = client.post("/cms/timeline/", {"q": "Clinical skills"})
    assert answer.status_code == 200
    for contract in ContractPage.objects.all():
        assert timeline_url(SubjectKind.CONTRACT, contract.pk) in answer.content.decode()


@pytest.mark.parametrize("size", [2, 20])
def test_a_contract_costs_the_same_for_any_number(staff: User, size: int) -> None:
    contract = make_contract(make_organization(), seats=100)
    run = make_contract_run(contract, codes=size)
    for number, code in enumerate(codes_of(run)):
        learner = make_user(f"learner{number}@people.example")
        hand_out(code, learner.email, staff)
        redeem_enrollment_code(text=code.text, user_id=learner.pk, now=clock.now())
    client = Client()
    client.force_login(staff)
    address = timeline_url(SubjectKind.CONTRACT, contract.pk)
    client.get(address)
    with queries(exactly=21):
        client.get(address)
    assert HandOutMail.objects.count() == size


def test_the_command_line_finds_a_contract_by_name_and_id(run: ContractRun, staff: User) -> None:
    hand_out(codes_of(run)[0], "ada@people.example", staff)
    for text in ("clinical skills", str(run.contract_id)):
        out = StringIO()
        print_traces(out, what=text, style="table")
        assert "was handed out to ada@people.example" in out.getvalue()
