"""Backgrounds, drawn at a third of the picture's size and scaled up: that gives a lens's depth of field for free."""
from painter import arc, jitter, mix, shade, stream

BOOKS = [(120, 40, 36), (44, 66, 96), (60, 90, 60), (150, 110, 60), (84, 50, 84), (170, 150, 120), (70, 44, 30), (140, 70, 40)]


def bookshelf(p, x0, x1, rnd):
    wood = (74, 46, 28)
    p.rect(x0, 40, x1, 640, wood)
    shelf = 46
    while shelf < 600:
        p.rect(x0 + 12, shelf + 10, x1 - 12, shelf + 104, (38, 24, 18))
        x = x0 + 16
        while x < x1 - 40:
            w, h = rnd.uniform(16, 32), rnd.uniform(66, 92)
            colour = jitter(rnd, rnd.choice(BOOKS), 14)
            p.rect(x, shelf + 104 - h, x + w - 2, shelf + 104, colour)
            p.rect(x + 3, shelf + 104 - h * 0.8, x + w - 5, shelf + 104 - h * 0.72, mix(colour, (230, 200, 120), 0.6))
            x += w
        shelf += 112
    p.rect(x0 - 8, 28, x1 + 8, 46, shade(wood, 0.15))


def fireplace(p, x, rnd):
    stone = (150, 140, 128)
    p.rect(x - 190, 300, x + 190, 640, stone)
    p.rect(x - 215, 276, x + 215, 306, shade(stone, 0.25))
    for y in range(330, 640, 44):
        p.line([(x - 190, y), (x + 190, y)], 4, shade(stone, -0.2))
    p.rect(x - 120, 370, x + 120, 640, (30, 20, 18))
    p.glow(x, 590, 190, 170, (255, 140, 40), 0.9)
    for k in range(7):
        a = x - 78 + k * 26
        h = rnd.uniform(70, 150)
        p.blob([(a - 26, 636), (a - 14, 636 - h * 0.5), (a, 636 - h), (a + 14, 636 - h * 0.5), (a + 26, 636)], (255, 150, 40))
        p.blob([(a - 12, 636), (a, 636 - h * 0.55), (a + 12, 636)], (255, 226, 120))
    p.rect(x - 110, 622, x + 110, 646, (70, 44, 30))


def study(p, w, side, rnd):
    wall = jitter(rnd, rnd.choice([(74, 42, 44), (52, 66, 54), (78, 58, 44)]), 8)
    p.fade(0, 0, w, 720, shade(wall, 0.1), shade(wall, -0.35))
    for x in range(0, w, 80):
        p.line([(x, 0), (x, 470)], 5, shade(wall, 0.12))
    p.rect(0, 470, w, 640, (62, 38, 26))
    p.rect(0, 640, w, 720, (46, 28, 20))
    p.line([(0, 470), (w, 470)], 10, (92, 60, 40))
    books, fire = (0.16, 0.84) if side > 0 else (0.84, 0.16)
    wide = 0.15 if w > 1000 else 0.2
    bookshelf(p, w * (books - wide), w * (books + wide), rnd)
    fireplace(p, w * fire, rnd)
    p.glow(w * fire, 420, 420, 420, (255, 160, 70), 0.35)


def kitchen(p, w, side, rnd):
    wall = jitter(rnd, rnd.choice([(176, 158, 126), (140, 164, 154), (178, 160, 140)]), 8)
    unit = jitter(rnd, rnd.choice([(206, 198, 182), (124, 152, 144), (164, 118, 78)]), 8)
    p.fade(0, 0, w, 720, wall, shade(wall, -0.15))
    for y in range(290, 440, 30):
        p.line([(0, y), (w, y)], 3, shade(wall, -0.12))
    for x in range(0, w, 46):
        p.line([(x, 290), (x, 430)], 3, shade(wall, -0.12))
    x0, x1 = (0, w * 0.36) if side > 0 else (w * 0.64, w)
    p.rect(x0, 30, x1, 260, unit)
    step = (x1 - x0) / 3
    for k in range(3):
        p.rect(x0 + step * k + 10, 42, x0 + step * (k + 1) - 10, 248, shade(unit, -0.1))
        p.oval(x0 + step * (k + 0.82), 220, 8, 8, (120, 110, 100))
    p.rect(0, 430, w, 456, (120, 96, 76))
    p.rect(0, 456, w, 720, shade(unit, -0.12))
    for x in range(60, w, 190):
        p.line([(x, 470), (x, 720)], 5, shade(unit, -0.35))
    s = w * 0.84 if side > 0 else w * 0.16
    p.rect(s - 150, 420, s + 150, 720, (70, 74, 80))
    p.rect(s - 120, 520, s + 120, 680, (26, 28, 32))
    p.line([(s - 110, 500), (s + 110, 500)], 10, (180, 184, 190))
    for k in (-1, 1):
        p.oval(s + 70 * k, 420, 52, 9, (30, 30, 34))
    p.oval(s - 70, 398, 50, 8, (120, 126, 134))
    p.rect(s - 120, 352, s - 20, 412, (150, 156, 164))
    p.line([(s - 20, 364), (s + 40, 356)], 12, (50, 50, 54))
    p.glow(w * 0.5, 0, w * 0.5, 200, (255, 250, 230), 0.25)


def garden(p, w, side, rnd):
    p.fade(0, 0, w, 420, (88, 144, 204), (164, 194, 212))
    for _ in range(5):
        x, y = rnd.uniform(0, w), rnd.uniform(30, 160)
        for k in range(3):
            p.glow(x + 50 * k, y + rnd.uniform(-10, 10), 80, 38, (240, 244, 250), 0.6)
    p.fade(0, 400, w, 720, (92, 142, 62), (58, 106, 46))
    p.rect(0, 320, w, 336, (172, 160, 140))
    for x in range(8, w, 56):
        p.poly([(x, 290), (x + 19, 272), (x + 38, 290), (x + 38, 430), (x, 430)], (186, 174, 152))
    t = w * 0.13 if side > 0 else w * 0.87
    p.poly([(t - 26, 560), (t - 18, 240), (t + 18, 240), (t + 30, 560)], (98, 70, 46))
    for _ in range(16):
        x, y = t + rnd.uniform(-150, 150), rnd.uniform(20, 260)
        green = jitter(rnd, (60, 128, 58), 22)
        p.oval(x, y, rnd.uniform(50, 84), rnd.uniform(40, 66), green)
    p.glow(t + 50, 90, 150, 110, (170, 210, 100), 0.6)
    f = w * 0.85 if side > 0 else w * 0.15
    for _ in range(38):
        x, y = f + rnd.uniform(-200, 200), rnd.uniform(450, 640)
        p.line([(x, y), (x, y + 30)], 6, (50, 110, 48))
        p.oval(x, y, 13, 13, rnd.choice([(230, 70, 90), (250, 220, 90), (240, 240, 250), (200, 90, 190)]))


def office(p, w, side, rnd):
    wall = jitter(rnd, rnd.choice([(146, 156, 170), (132, 150, 158), (158, 152, 144)]), 6)
    p.fade(0, 0, w, 720, wall, shade(wall, -0.25))
    b = w * 0.17 if side > 0 else w * 0.83
    p.rect(b - 195, 80, b + 195, 350, (150, 154, 160))
    p.rect(b - 183, 92, b + 183, 338, (250, 250, 252))
    for k in range(4):
        p.line([(b - 150, 130 + 40 * k), (b - 150 + rnd.uniform(90, 230), 130 + 40 * k)], 7, rnd.choice([(60, 90, 190), (190, 60, 60), (50, 130, 80)]))
    p.line([(b + 60, 300), (b + 60, 230), (b + 95, 230), (b + 95, 300), (b + 130, 300), (b + 130, 180)], 7, (60, 90, 190))
    d = w * 0.83 if side > 0 else w * 0.17
    p.rect(d - 260, 520, d + 260, 548, (150, 116, 84))
    p.rect(d - 240, 548, d + 240, 720, (106, 84, 64))
    p.rect(d - 20, 450, d + 20, 516, (60, 62, 68))
    p.rect(d - 80, 508, d + 80, 522, (60, 62, 68))
    p.rect(d - 165, 250, d + 165, 460, (34, 36, 42))
    p.fade(d - 153, 262, d + 153, 446, (70, 130, 200), (130, 190, 230))
    for k in range(4):
        p.line([(d - 130, 290 + 36 * k), (d - 130 + rnd.uniform(80, 220), 290 + 36 * k)], 9, (226, 240, 250))
    p.rect(0, 0, w, 26, shade(wall, 0.4))
    p.glow(w * 0.5, 0, w * 0.45, 120, (255, 255, 255), 0.45)


def night_window(p, w, side, rnd):
    wall = jitter(rnd, rnd.choice([(58, 52, 66), (64, 54, 50), (48, 56, 66)]), 6)
    p.rect(0, 0, w, 720, wall)
    p.fade(70, 0, w - 70, 520, (10, 16, 44), (40, 52, 96))
    for _ in range(60):
        x, y = rnd.uniform(90, w - 90), rnd.uniform(10, 330)
        p.oval(x, y, 3.5, 3.5, (236, 236, 210))
    m = w * 0.2 if side > 0 else w * 0.8
    p.glow(m, 120, 170, 170, (200, 210, 240), 0.6)
    p.oval(m, 120, 52, 52, (242, 240, 222))
    p.oval(m + 22, 110, 10, 10, (220, 216, 196))
    x = 70
    while x < w - 80:
        bw, bh = rnd.uniform(60, 110), rnd.uniform(90, 220)
        p.rect(x, 520 - bh, min(x + bw, w - 70), 520, (20, 22, 40))
        for _ in range(6):
            a, b = x + rnd.uniform(8, bw - 16), 520 - rnd.uniform(16, bh - 10)
            if a < w - 90:
                p.rect(a, b, a + 10, b + 12, (246, 214, 120))
        x += bw + 6
    for x in (70, w / 2, w - 70):
        p.line([(x, 0), (x, 524)], 20, (96, 78, 62))
    p.line([(70, 240), (w - 70, 240)], 14, (96, 78, 62))
    p.rect(40, 514, w - 40, 548, (120, 98, 78))
    drape = jitter(rnd, rnd.choice([(120, 40, 48), (60, 74, 110), (96, 84, 60)]), 8)
    for s in (0, 1):
        for k in range(5):
            x = k * 24 if s == 0 else w - k * 24
            p.line(arc(x, 0, x * 1.0, 700, 0), 28, shade(drape, 0.1 if k % 2 else -0.2))
    p.glow(w * 0.5, 720, w * 0.55, 260, (255, 196, 120), 0.3)


DRAW = {"study": study, "kitchen": kitchen, "garden": garden, "office": office, "night window": night_window}


def table(p, w, y, rnd, front):
    """A table top from `y` down, in the room's foreground."""
    wood = jitter(rnd, rnd.choice([(146, 98, 60), (112, 72, 44), (176, 130, 84)]), 8)
    p.fade(0, y, w, 720, shade(wood, 0.12), shade(wood, -0.3))
    for k in range(5):
        h = y + 14 + k * (720 - y) / 5
        p.line(arc(0, h, w, h + rnd.uniform(-6, 6), rnd.uniform(-4, 4)), 2, shade(wood, -0.22))
    p.line([(0, y), (w, y)], 5, shade(wood, 0.3 if front else 0.2))
