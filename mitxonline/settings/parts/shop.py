"""What the people who keep the shop may do, and how long things wait in it."""

from mitxonline.settings.env import env

# How far the staff of one course may go with the discounts of that course: percent of a price, and codes at once.
COURSE_STAFF_MOST_PERCENT_OFF = env.int("COURSE_STAFF_MOST_PERCENT_OFF", 50)
COURSE_STAFF_MOST_CODES = env.int("COURSE_STAFF_MOST_CODES", 200)

# How many days an anonymous visitor's basket is kept that no one touches; longer than their session lives.
BASKET_KEPT_DAYS = env.int("BASKET_KEPT_DAYS", 60)
