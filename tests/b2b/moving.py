"""Two contracts of one organization, for tests that move members."""

from __future__ import annotations

from b2b.models import ContractMembership
from b2b.services.seats.moving import MoveMembers, move_members
from b2b.services.seats.redemption import redeem_enrollment_code, start_course
from mitxonline.users.models import User
from tests.factories import NOON, codes_of, make_contract, make_contract_run, make_course, make_organization, make_user


class MovingWorld:
    """Contract `old` has two courses, `new` one of them; Lea and Ben are members of `old`."""

    def __init__(self, *, seats: int = 2) -> None:
        self.organization = make_organization()
        self.old = make_contract(self.organization, seats=3)
        self.new = make_contract(self.organization, name="Clinical skills 2027", seats=seats)
        both, only_old = make_course(), make_course()
        self.both = make_contract_run(self.old, both, codes=3)
        self.only_old = make_contract_run(self.old, only_old, codes=3)
        self.target = make_contract_run(self.new, both, codes=2)
        self.lea, self.ben = make_user("lea@northgate.example"), make_user("ben@northgate.example")
        for number, person in enumerate((self.lea, self.ben)):
            redeem_enrollment_code(text=codes_of(self.both)[number].text, user_id=person.pk, now=NOON)
            start_course(contract_run_id=self.only_old.pk, user_id=person.pk, now=NOON)

    def move(self, *people: User) -> None:
        emails = [each.email.upper() for each in people]
        move_members(MoveMembers(from_id=self.old.pk, to_id=self.new.pk, emails=emails), reason="next year", now=NOON)

    def seats(self, person: User) -> list[int]:
        return sorted(ContractMembership.objects.filter(user=person).values_list("contract_id", flat=True))
