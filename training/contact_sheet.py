"""Pictures in rows with their texts."""
import textwrap

from PIL import Image, ImageDraw, ImageFont

GAP, LINE = 8, 13


def sheet(cells, columns):
    """cells: [(pictures side by side, text)] -> one picture"""
    font = ImageFont.load_default(11)
    width = max(sum(p.width for p in pictures) + GAP // 2 * (len(pictures) - 1) for pictures, _ in cells)
    height = max(p.height for pictures, _ in cells for p in pictures)
    texts = [textwrap.wrap(text, max(20, width // 6))[:3] for _, text in cells]
    row = height + LINE * max(map(len, texts)) + 2 * GAP
    out = Image.new("RGB", (columns * (width + GAP) + GAP, -(-len(cells) // columns) * row + GAP), (250, 250, 250))
    draw = ImageDraw.Draw(out)
    for i, ((pictures, _), lines) in enumerate(zip(cells, texts)):
        x, y = GAP + i % columns * (width + GAP), GAP + i // columns * row
        at = x
        for p in pictures:
            out.paste(p, (at, y))
            at += p.width + GAP // 2
        for k, line in enumerate(lines):
            draw.text((x, y + height + 2 + LINE * k), line, (30, 30, 30), font)
    return out
