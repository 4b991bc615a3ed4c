"""How much one account and one address may send in a time: token buckets."""
