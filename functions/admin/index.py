"""/api/admin/...: the endpoints for administrators, one module per group."""

from functions.admin import (
    audit,
    credits,
    invites,
    models,
    orders,
    prices,
    system,
    upstreams,
    usage,
    users,
)
from shared.web.endpoint import serve

handler = serve(
    *users.endpoints,
    *credits.endpoints,
    *invites.endpoints,
    *models.endpoints,
    *upstreams.endpoints,
    *prices.endpoints,
    *usage.endpoints,
    *orders.endpoints,
    *audit.endpoints,
    *system.endpoints,
)
