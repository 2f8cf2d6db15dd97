"""Doors for other tools: each speaks that tool's language and answers with a Session's masks."""
