"""/api/admin/...: what administrators do, a file for each group of it."""

from functions.admin import credits, invites, users
from shared.http import serve

handler = serve(*users.endpoints, *credits.endpoints, *invites.endpoints)
