"""PDF files written by hand: ordinary ones, and those that attack a reader."""

import zlib
from collections.abc import Callable, Iterable, Mapping
from hashlib import md5

IMAGE = (
    b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray"
    b" /BitsPerComponent 8 /Length 1 >>\nstream\n\x00\nendstream"
)
HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def pdf(objects: Mapping[int, bytes], trailer: bytes = b"") -> bytes:
    """A file of these objects with a cross-reference table; object 1 is the catalog."""
    body, offsets = bytearray(b"%PDF-1.7\n"), {}
    for number, content in objects.items():
        offsets[number] = len(body)
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    size = max(objects) + 1
    rows = [
        b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n"
        for number in range(size)
    ]
    table = b"xref\n0 %d\n%b" % (size, b"".join(rows))
    end = b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n"
    return bytes(body) + table + end % (size, trailer, len(body))


def stream(data: bytes, entries: bytes = b"", length: int | None = None) -> bytes:
    length = len(data) if length is None else length
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (length, entries, data)


def flate(data: bytes) -> bytes:
    return stream(zlib.compress(data, 9), b"/Filter /FlateDecode")


def shown(text: str) -> bytes:
    """Operators that show a line of ASCII text."""
    return b"BT /F1 12 Tf 72 720 Td (%b) Tj ET" % text.encode("ascii")


def of_pages(contents: Iterable[bytes], font: bytes = HELVETICA, **more: bytes) -> bytes:
    """A file with a page for each content stream (an object); object 3 is the font."""
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 3: font, 4: IMAGE}
    pages: list[bytes] = []
    for content in contents:
        number = 10 + 2 * len(pages)
        pages.append(b"%d 0 R" % number)
        objects[number + 1] = content
        objects[number] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> /XObject << /Im1 4 0 R >> >> >>" % (number + 1)
        )
    objects[2] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b" ".join(pages), len(pages))
    return pdf(objects | {int(name.strip("_")): content for name, content in more.items()})


def of_texts(*texts: str) -> bytes:
    return of_pages(flate(shown(text)) for text in texts)


def chinese(text: str) -> bytes:
    """A page of text in a font with two bytes for each glyph, and a map of glyphs to Unicode."""
    glyphs = {character: number for number, character in enumerate(dict.fromkeys(text), 1)}
    rows = b"\n".join(
        b"<%04x> <%b>" % (number, character.encode("utf-16-be").hex().encode())
        for character, number in glyphs.items()
    )
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        b"1 begincodespacerange <0000> <ffff> endcodespacerange\n"
        b"%d beginbfchar\n%b\nendbfchar\nendcmap end end" % (len(glyphs), rows)
    )
    codes = b"".join(b"%04x" % glyphs[character] for character in text)
    return of_pages(
        [flate(b"BT /F1 12 Tf 72 720 Td <%b> Tj ET" % codes)],
        font=(
            b"<< /Type /Font /Subtype /Type0 /BaseFont /SimSun /Encoding /Identity-H"
            b" /DescendantFonts [5 0 R] /ToUnicode 6 0 R >>"
        ),
        _5=(
            b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /SimSun /CIDSystemInfo"
            b" << /Registry (Adobe) /Ordering (GB1) /Supplement 0 >> >>"
        ),
        _6=flate(cmap),
    )


def scan(pages: int) -> bytes:
    """Pages that show a picture each, and no text."""
    return of_pages([stream(b"q 612 0 0 792 0 0 cm /Im1 Do Q")] * pages)


def of_many_pages(count: int) -> bytes:
    return of_texts(*(f"Page {number}" for number in range(1, count + 1)))


def bomb(megabytes: int) -> bytes:
    """A content stream that unpacks to so many megabytes."""
    return of_pages([flate(b" " * (megabytes << 20))])


def nested_bomb(megabytes: int) -> bytes:
    """The same, packed twice."""
    packed = zlib.compress(zlib.compress(b" " * (megabytes << 20), 9), 9)
    return of_pages([stream(packed, b"/Filter [/FlateDecode /FlateDecode]")])


def page_tree_cycle() -> bytes:
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: b"<< /Type /Pages /Kids [2 0 R] /Count 1 /Parent 2 0 R >>",
        }
    )


def wide_page_tree() -> bytes:
    """A tree of 40 levels in which each node names the next one twice: 2^40 pages."""
    nodes = {
        number: b"<< /Type /Pages /Kids [%d 0 R %d 0 R] /Count 2 >>" % (number + 1, number + 1)
        for number in range(2, 42)
    }
    page = b"<< /Type /Page /MediaBox [0 0 9 9] >>"
    return pdf({1: b"<< /Type /Catalog /Pages 2 0 R >>", **nodes, 42: page})


def parent_loop() -> bytes:
    """A page that inherits from itself."""
    return pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Parent 3 0 R >>",
            3: b"<< /Type /Page /Parent 3 0 R /Contents 4 0 R >>",
            4: stream(shown("text")),
        }
    )


def reference_loop() -> bytes:
    """An object that is a reference to itself."""
    return pdf({1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: b"3 0 R", 3: b"2 0 R"})


def xref_loop() -> bytes:
    """A cross-reference table whose predecessor is itself."""
    whole = of_texts("text")
    start = int(whole.split(b"startxref\n")[1].split(b"\n")[0])
    return whole.replace(b"/Root 1 0 R ", b"/Root 1 0 R /Prev %d " % start)


def form_loop(*before: bytes) -> bytes:
    """A form that draws itself, many times, on the last page."""
    form = stream(
        b"/Fm1 Do " * 1000,
        b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /Fm1 4 0 R >> >>",
    )
    return of_pages([*before, stream(b"/Im1 Do " * 1000)], _4=form)


def deep_nesting(depth: int) -> bytes:
    return of_pages([stream(b"[" * depth + b"]" * depth + b" TJ")])


def deep_objects(depth: int) -> bytes:
    deep = b"<< /A " * depth + b"1" + b" >>" * depth
    return pdf({1: b"<< /Type /Catalog /Pages 2 0 R >>", 2: deep})


def endless_content(megabytes: int) -> bytes:
    """A content stream that shows text over and over."""
    line = b"BT /F1 12 Tf 72 720 Td (all work and no play) Tj ET\n"
    return of_pages([flate(line * ((megabytes << 20) // len(line)))])


def shared_content(pages: int, megabytes: int) -> bytes:
    """Pages with one long content stream, named a hundred times by each."""
    line = b"BT /F1 12 Tf 72 720 Td (again) Tj ET\n"
    long = flate(line * ((megabytes << 20) // len(line)))
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 3: HELVETICA, 4: long}
    for number in range(10, 10 + pages):
        objects[number] = (
            b"<< /Type /Page /Parent 2 0 R /Contents [%b]"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (b"4 0 R " * 100)
        )
    kids = b" ".join(b"%d 0 R" % number for number in range(10, 10 + pages))
    objects[2] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, pages)
    return pdf(objects)


def huge_length() -> bytes:
    return of_pages([stream(shown("text"), length=2**62)])


def huge_cmap() -> bytes:
    """A map to Unicode of one range over billions of glyphs."""
    cmap = (
        b"begincmap 1 begincodespacerange <00000000> <ffffffff> endcodespacerange\n"
        b"1 beginbfrange <00000000> <ffffffff> <0041> endbfrange endcmap"
    )
    font = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H"
        b" /DescendantFonts [5 0 R] /ToUnicode 6 0 R >>"
    )
    cid = b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A >>"
    return of_pages([stream(b"BT /F1 9 Tf <0041> Tj ET")], font=font, _5=cid, _6=flate(cmap))


def huge_widths() -> bytes:
    """A range of widths over billions of glyphs."""
    font = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H"
        b" /DescendantFonts [5 0 R] >>"
    )
    cid = b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A /W [0 9999999999 500] >>"
    return of_pages([stream(b"BT /F1 9 Tf <0041> Tj ET")], font=font, _5=cid)


_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def encrypted(text: str, password: str) -> bytes:
    """A page that is encrypted with RC4 (40 bits); with no password any reader may open it."""
    padded = (password.encode() + _PADDING)[:32]
    owner = _rc4(_md5((b"owner" + _PADDING)[:32])[:5], padded)
    key = _md5(padded + owner + b"\xfc\xff\xff\xff" + b"0" * 16)[:5]
    user = _rc4(key, _PADDING)
    content = _rc4(_md5(key + b"\x0b\x00\x00" + b"\x00\x00")[:10], shown(text))
    whole = of_pages(
        [stream(content)],
        _30=b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%b> /U <%b> >>"
        % (owner.hex().encode(), user.hex().encode()),
    )
    entries = b"/Encrypt 30 0 R /ID [<%b> <%b>] " % ((b"30" * 16,) * 2)
    return whole.replace(b"/Root 1 0 R ", b"/Root 1 0 R " + entries)


def _md5(data: bytes) -> bytes:
    return md5(data, usedforsecurity=False).digest()


def _rc4(key: bytes, data: bytes) -> bytes:
    state, at = list(range(256)), 0
    for index in range(256):
        at = (at + state[index] + key[index % len(key)]) % 256
        state[index], state[at] = state[at], state[index]
    out, first, second = bytearray(), 0, 0
    for byte in data:
        first = (first + 1) % 256
        second = (second + state[first]) % 256
        state[first], state[second] = state[second], state[first]
        out.append(byte ^ state[(state[first] + state[second]) % 256])
    return bytes(out)


# Each is refused, or cut, within the limits.
ATTACKS: Mapping[str, Callable[[], bytes]] = {
    "bomb": lambda: bomb(100),
    "nested bomb": lambda: nested_bomb(100),
    "page tree cycle": page_tree_cycle,
    "wide page tree": wide_page_tree,
    "parent loop": parent_loop,
    "reference loop": reference_loop,
    "xref loop": xref_loop,
    "form loop": form_loop,
    "deep nesting": lambda: deep_nesting(500_000),
    "deep objects": lambda: deep_objects(500_000),
    "endless content": lambda: endless_content(20),
    "shared content": lambda: shared_content(50, 20),
    "huge length": huge_length,
    "huge map": huge_cmap,
    "huge widths": huge_widths,
    "truncated": lambda: of_texts("text")[:-200],
    "garbage": lambda: b"%PDF-1.7\n" + bytes(range(256)) * 4000,
    "objects without end": lambda: b"%PDF-1.7\n" + b"1 0 obj\n" * 500_000,
    "blanks": lambda: b"%PDF-1.7\n" + b" " * (5 << 20),
    "nothing": lambda: b"",
    "a page of the web": lambda: b"<html>%PDF-1.7</html>",
    "a password": lambda: encrypted("secret", "password"),
}
