"""REST, `/ws/orders` and the routes of the page."""
