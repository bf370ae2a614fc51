"""Dataset of files: what is known of them. The files themselves are at their links."""

from shared.repos.reports.dataset import ADMINS, Dataset, number, text, time

MEDIA = Dataset(
    columns=(
        text("id", "m.id"),
        text("user_id", "m.user_id", only=ADMINS),
        time("created_at", "m.created_at_ms"),
        text("filename", "m.filename"),
        text("content_type", "m.content_type"),
        number("size", "m.size"),
        text("purpose", "m.purpose"),
        text("crc64", "m.crc64"),
    ),
    of_period="""
        FROM media AS m /*! FORCE INDEX (ix_media_created) */
        WHERE m.created_at_ms >= :from_ms AND m.created_at_ms < :to_ms
        ORDER BY m.created_at_ms, m.id
    """,
    of_user="""
        FROM media AS m
        WHERE m.user_id = :user_id
        ORDER BY m.created_at_ms, m.id
    """,
)
