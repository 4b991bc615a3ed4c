"""What a follower of the event stream or of the public feed holds."""
