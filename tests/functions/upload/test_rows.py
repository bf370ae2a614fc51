"""Media in the database: only their owner finds them, in the order that was asked for."""

import pytest

from shared.database.connection import DuplicateKey
from shared.database.transactions import read, transaction
from shared.errors import NotFound
from shared.ids import new_id
from shared.repos import media
from shared.repos.media import Media, MediaText
from tests.people import add_user

pytestmark = pytest.mark.usefixtures("database")


def stored(user_id: str, content_type: str = "image/png", text: MediaText | None = None) -> Media:
    media_id = new_id()
    key = f"media/{user_id}/{media_id}"
    one = Media(media_id, new_id(), user_id, key, "a.png", content_type, 9, "7", 1_000)
    transaction(media.add, one, text)
    return one


def test_media_are_found_by_their_owner_in_the_order_of_the_ids() -> None:
    anna, ben = add_user(), add_user()
    first, second, other = stored(anna.id), stored(anna.id), stored(ben.id)

    ids = [second.id, first.id, second.id]
    assert read(media.list_by_ids, ids, anna.id) == [second, first, second]
    assert read(media.list_by_ids, [], anna.id) == []
    for strange in (other.id, new_id(), f"{first.id} ", first.id.lower()):
        with pytest.raises(NotFound):
            read(media.list_by_ids, [first.id, strange], anna.id)
        with pytest.raises(NotFound):
            read(media.get_for, strange, anna.id)


def test_one_upload_becomes_one_media() -> None:
    anna = add_user()
    one = stored(anna.id)
    with pytest.raises(DuplicateKey):
        transaction(media.add, Media(new_id(), one.upload_id, *list(vars(one).values())[2:]))
    assert read(media.find_of_upload, one.upload_id, anna.id) == one
    assert read(media.find_of_upload, one.upload_id, add_user().id) is None


def test_documents_have_texts_and_media_have_a_kind() -> None:
    anna, text = add_user(), MediaText("First page\n第二页 🍋", 2, True)
    document, picture = stored(anna.id, "application/pdf", text), stored(anna.id)

    assert read(media.text_of, document.id) == text
    assert read(media.text_of, picture.id) is None
    assert read(media.list_texts, [picture.id, document.id]) == {document.id: text}
    assert (document.kind, picture.kind) == ("document", "picture")
    assert stored(anna.id, "audio/mpeg").kind == "audio"
