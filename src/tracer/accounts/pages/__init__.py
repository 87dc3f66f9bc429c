"""The pages of accounts: login and set-up, one's own account, the members."""

from tracer.accounts.pages import account, login, members, setup, tokens

groups = (login.routes, setup.routes, account.routes, tokens.routes, members.routes)
