"""What apps say about an account."""

# What people download about themselves, in this order: a heading in the file, and the function of an app that returns
# what the app has on a person, as JSON.
ACCOUNT_DATA = {
    "account": "mitxonline.users.own_data.data_of_account",
    "courses": "courses.selectors.accounts.data_of_account",
    "shop": "ecommerce.selectors.accounts.data_of_account",
    "organizations": "b2b.selectors.accounts.data_of_account",
}

# Deleting an account. Functions that say in sentences what has to be settled before, what is lost, and what stays.
# Where something is still to be lost after the apps gave up what is theirs, it came at that moment: they begin again.
ACCOUNT_OBSTACLES = [
    "mitxonline.users.closing.find_staff_rights",
    "ecommerce.selectors.accounts.find_obstacles",
    "b2b.selectors.accounts.find_obstacles",
]
ACCOUNT_LOSSES = [
    "courses.selectors.accounts.losses_of_account",
    "b2b.selectors.accounts.losses_of_account",
    "ecommerce.selectors.accounts.losses_of_account",
]
ACCOUNT_REMAINS = ["ecommerce.selectors.accounts.remains_of_account"]
# Seconds for which a link works that confirms the deletion of an account without a password.
DELETE_LINK_SECONDS = 3600
