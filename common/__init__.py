"""The language the three processes and the client package share; imports none of them."""
