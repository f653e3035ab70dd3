"""Student code, and the little that is needed to ask it questions without trusting it.

On the trusted side: `client` (and `outputs`). Beside the student's code: `zygote`, `child`,
`capture`, `isolation`, `landlock`, `seccomp`. On both: `wire`, `script`.
"""
