"""The web kit: routes, guard, pages, forms, live updates and background work.

The only package that imports starlette and jinja2. It knows no feature: the application hands it
the routes, tasks and lookups of the packages above.
"""
