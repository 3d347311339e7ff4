"""The detector as a service over HTTP: verdicts, adapting, feedback, and a page to look at them (extra `serve`)."""
