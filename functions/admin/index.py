"""/api/admin/...: what administrators do, a file for each group of it."""

from functions.admin import audit, credits, invites, orders, system, users
from shared.http import serve

handler = serve(
    *users.endpoints,
    *credits.endpoints,
    *invites.endpoints,
    *orders.endpoints,
    *audit.endpoints,
    *system.endpoints,
)
