"""Rules of the chat that clients are told: types of personas, and limits of one request.

Does no I/O.
"""

# Each type has two prompts in functions/chat/prompt/texts/.
PERSONA_TITLES = {
    "default": {"zh": "助手", "en": "Assistant"},
    "oracle": {"zh": "神谕", "en": "The Oracle"},
}
MESSAGE_CHARACTERS = 32_000
MESSAGES = 100
MEDIA = 8  # of one question
TITLE_CHARACTERS = 100
KEY_CHARACTERS = 255
