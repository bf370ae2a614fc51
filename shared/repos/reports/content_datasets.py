"""Datasets of accounts, conversations, locations and the audit log; none has password hashes."""

from shared.repos.reports.dataset import ADMINS, Dataset, decimal, number, text, time, truth

# The label that must be visible beside text of a model (GB 45438-2025, explicit labels).
AI_LABEL = "AI生成 (AI-generated)"

# Of a question, with commas between them. A file that was deleted is in none.
MEDIA_IDS = "(SELECT GROUP_CONCAT(a.media_id) FROM message_media AS a WHERE a.message_id = m.id)"

USERS = Dataset(
    columns=(
        text("id"),
        text("email"),
        text("username"),
        text("role"),
        time("created_at"),
        time("disabled_at", only=ADMINS),
    ),
    of_period="""
        FROM users /*! FORCE INDEX (ix_users_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
    """,
    of_user="""
        FROM users
        WHERE id = :user_id
    """,
)

SESSIONS = Dataset(
    columns=(
        text("id"),
        text("device"),
        time("created_at"),
        time("used_at"),
        time("ended_at"),
    ),
    of_user="""
        FROM sessions
        WHERE user_id = :user_id
        ORDER BY id
    """,
)

CONVERSATIONS = Dataset(
    columns=(
        text("id"),
        text("user_id", only=ADMINS),
        text("title"),
        time("created_at"),
        time("updated_at"),
    ),
    of_period="""
        FROM conversations /*! FORCE INDEX (ix_conversations_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
    """,
    of_user="""
        FROM conversations
        WHERE user_id = :user_id
        ORDER BY created_at_ms, id
    """,
)

MESSAGES = Dataset(
    columns=(
        text("id", "m.id"),
        text("conversation_id", "m.conversation_id"),
        text("user_id", "c.user_id", only=ADMINS),
        time("created_at", "m.created_at_ms"),
        text("role", "m.role"),
        truth("ai_generated", "CASE m.role WHEN 'assistant' THEN 1 ELSE 0 END"),
        text("ai_label", f"CASE m.role WHEN 'assistant' THEN '{AI_LABEL}' END"),
        text("content", "m.content"),
        text("model", "m.model"),
        text("finish_reason", "m.finish_reason"),
        number("prompt_tokens", "m.prompt_tokens"),
        number("completion_tokens", "m.completion_tokens"),
        text("media_ids", MEDIA_IDS),
    ),
    of_period="""
        FROM messages AS m /*! FORCE INDEX (ix_messages_created) */
        JOIN conversations AS c ON c.id = m.conversation_id
        WHERE m.created_at_ms >= :from_ms AND m.created_at_ms < :to_ms
        ORDER BY m.created_at_ms, m.id
    """,
    of_user="""
        FROM conversations AS c
        JOIN messages AS m ON m.conversation_id = c.id
        WHERE c.user_id = :user_id
        ORDER BY m.created_at_ms, m.id
    """,
    has_ai_text=True,
)

# The invite codes that the user owns.
INVITES = Dataset(
    columns=(
        text("code"),
        number("max_uses"),
        number("used"),
        time("created_at"),
        time("expires_at"),
    ),
    of_user="""
        FROM invites
        WHERE owner_id = :user_id
        ORDER BY created_at_ms, code
    """,
)

LOCATIONS = Dataset(
    columns=(
        text("id"),
        text("user_id", only=ADMINS),
        decimal("latitude"),
        decimal("longitude"),
        text("coordinate_system"),
        number("accuracy_m"),
        time("recorded_at"),
        time("consented_at"),
    ),
    of_period="""
        FROM locations /*! FORCE INDEX (ix_locations_consented) */
        WHERE consented_at_ms >= :from_ms AND consented_at_ms < :to_ms
        ORDER BY consented_at_ms, id
    """,
    of_user="""
        FROM locations
        WHERE user_id = :user_id
        ORDER BY recorded_at_ms, id
    """,
)

AUDIT = Dataset(
    columns=(
        text("id"),
        time("at"),
        text("actor_id"),
        text("action"),
        text("detail"),
    ),
    of_period="""
        FROM audit_log /*! FORCE INDEX (ix_audit_log_at) */
        WHERE at_ms >= :from_ms AND at_ms < :to_ms
        ORDER BY at_ms, id
    """,
)

DRUGS = Dataset(
    columns=(
        text("id"),
        text("user_id", only=ADMINS),
        text("name"),
        text("generic_name"),
        text("approval_number"),
        text("manufacturer"),
        text("specification"),
        text("batch_number"),
        text("produced_on"),
        text("expires_on"),
        text("dosage"),
        text("storage"),
        text("warnings"),
        text("media_ids"),
        truth("ai_generated"),
        text("ai_label", f"CASE ai_generated WHEN 1 THEN '{AI_LABEL}' END"),
        time("created_at"),
        time("updated_at"),
    ),
    of_period="""
        FROM drugs /*! FORCE INDEX (ix_drugs_created) */
        WHERE created_at_ms >= :from_ms AND created_at_ms < :to_ms
        ORDER BY created_at_ms, id
    """,
    of_user="""
        FROM drugs
        WHERE user_id = :user_id
        ORDER BY created_at_ms, id
    """,
    has_ai_text=True,
)
