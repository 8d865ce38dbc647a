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
        "program_enrollments_list",
        "program_enrollments_retrieve",
        "program_enrollments_destroy",
        "v2_program_enrollments_list",
        "v2_program_enrollments_retrieve",
        "v2_program_enrollments_destroy",
        "v3_program_enrollments_list",
        "v3_program_enrollments_create",
        "v3_program_enrollments_retrieve",
        "v3_program_enrollments_destroy",
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
        "verified_program_enrollments_create",
    }
)
