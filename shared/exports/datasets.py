"""The datasets that administrators export, and those in a copy of one's own data."""

from collections.abc import Mapping

from shared.repos.reports import content_datasets, media_datasets, money_datasets
from shared.repos.reports.dataset import Dataset

DATASETS: Mapping[str, Dataset] = {
    "users": content_datasets.USERS,
    "conversations": content_datasets.CONVERSATIONS,
    "messages": content_datasets.MESSAGES,
    "media": media_datasets.MEDIA,
    "orders": money_datasets.ORDERS,
    "transactions": money_datasets.TRANSACTIONS,
    "usage": money_datasets.USAGE,
    "audit": content_datasets.AUDIT,
    "locations": content_datasets.LOCATIONS,
    "drugs": content_datasets.DRUGS,
}

OWN_DATASETS: Mapping[str, Dataset] = {
    "profile": content_datasets.USERS,
    "sessions": content_datasets.SESSIONS,
    "conversations": content_datasets.CONVERSATIONS,
    "messages": content_datasets.MESSAGES,
    "media": media_datasets.MEDIA,
    "usage": money_datasets.USAGE,
    "transactions": money_datasets.TRANSACTIONS,
    "orders": money_datasets.ORDERS,
    "invites": content_datasets.INVITES,
    "locations": content_datasets.LOCATIONS,
    "drugs": content_datasets.DRUGS,
}
