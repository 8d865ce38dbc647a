"""Operations of the reference that aren't there yet. Take a line out with the operation that you add."""

MISSING: frozenset[str] = frozenset(
    {
        # b2b
        # countries
        # discounts
        # orders
        # products
        # user_search
        # userinfo
        # users
        # course_runs
        # courses
        # departments
        # enrollments
        # program_enrollments
        # programs
        # pages
        "pages_list",
        "pages_?fields=*&type=cms.coursepage_retrieve",
        "pages_?fields=*&type=cms.programpage_retrieve",
        "pages_retrieve",
        # program-collections
        "program_collections_list",
        "program_collections_retrieve",
        # verified_program_enrollments
    }
)
