"""Questions about the past, on their way to the recorder and back."""
