"""One who uses the console by mouse, and one who has none."""

STOPS_MAX = 250
IS_FOCUSED = "element => element === document.activeElement"
SEES_FOCUS = """element => {
  const style = getComputedStyle(element);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
}"""


class Mouse:
    """Clicks and types."""

    def __init__(self, page):
        self.page = page

    def press(self, target):
        target.click()

    def type(self, target, text):
        target.fill(text)

    def choose(self, target, label):
        target.select_option(label=label)

    def tick(self, target):
        target.check()


class Keyboard:
    """Comes to everything by Tab, sees where it is, and acts by key."""

    def __init__(self, page):
        self.page = page

    def reach(self, target):
        target.wait_for()
        for _ in range(STOPS_MAX):
            if target.evaluate(IS_FOCUSED):
                assert target.evaluate(SEES_FOCUS), "the focus is not to be seen"
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not come to {target}")

    def press(self, target):
        self.reach(target)
        self.page.keyboard.press("Enter")

    def type(self, target, text):
        self.reach(target)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def choose(self, target, label):
        self.reach(target)
        self.page.keyboard.type(label)

    def tick(self, target):
        self.reach(target)
        self.page.keyboard.press("Space")


class Counted:
    """Other hands, counted: each click, choice, tick and field that is filled in is one."""

    def __init__(self, hands):
        self.hands, self.acts = hands, []

    def __getattr__(self, name):
        act = getattr(self.hands, name)

        def counted(target, *more):
            self.acts.append(f"{name} {target}")
            return act(target, *more)

        return counted
