"""A gallery served to people and programs: a page, an API under ``/api`` that ``docs/serve.md`` tells, and its client.

    run         from options to a server that drains when it is told to stop
      app       what answers: routes behind a guard
        routes/   about  photos  search  groups  export: one file for each thing that is asked for
        guard     who may ask at all: Host, Origin, token; how much may be sent; headers of every answer
        service   what routes share: the gallery, its lanes, what was asked lately
          opened    the gallery as it is now: opened anew when another process has brought it up to date
          lanes     bounded queues in front of threads: too much is refused, too slow is told
          decoder   processes that decode what strangers sent, each with a time limit
    mcp         tools for models, over standard input and output; contact_sheet makes the pictures of their answers
    client      the same questions asked from Python, with the standard library alone

Imports go down this page. FastAPI is imported by all but ``client``, ``mcp``, what that
needs, ``limits`` and this file: see ``run.serve``.
"""

from __future__ import annotations
