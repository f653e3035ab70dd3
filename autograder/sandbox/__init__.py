"""Student code, and the little that is needed to ask it questions without trusting it.

Trusted side: `client` (Sandbox, doctor), `conversation` (Child), `clock`, `launch`, `outputs`. Beside
the student's code: `zygote`, `child`, `capture`, `isolation`, `landlock`, `seccomp`. On both: `wire`
and `script`.
"""
