"""The administration pages: server-rendered HTML at ``/admin/``; ``docs/pages.md`` says how to add one."""
