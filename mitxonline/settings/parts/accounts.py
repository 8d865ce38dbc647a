"""What apps say about an account."""

# What people download about themselves, in this order: a heading in the file, and the function of an app that returns
# what the app has on a person, as JSON.
ACCOUNT_DATA = {
    "account": "mitxonline.users.own_data.data_of_account",
    "courses": "courses.selectors.accounts.data_of_account",
    "shop": "ecommerce.selectors.accounts.data_of_account",
    "organizations": "b2b.selectors.accounts.data_of_account",
}
