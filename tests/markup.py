"""A page taken apart: its elements, its text, and what is wrong with it."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Elements in order, with their attributes; text without that of the style sheet."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.words, self.open, self.unbalanced = [], [], [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def problems(self):
        """List what a page that is whole in itself and accessible does not have."""
        found = [f"not closed: {self.open}"] if self.open else []
        found += [f"closed without opening: {tag}" for tag in self.unbalanced]
        names = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        found += [f"id twice: {name}" for name in set(names) if names.count(name) > 1]
        for tag, attributes in self.elements:
            if tag in {"script", "link", "iframe", "object", "embed", "form"}:
                found.append(f"element {tag}")
            found += [f"{tag} {name}" for name in attributes if name.startswith("on")]
            for name in ("src", "href", "xlink:href"):
                address = attributes.get(name) or "#"
                if not address.startswith(("#", "data:image/png;base64,")):
                    found.append(f"{tag} {name}={address[:40]}")
                if address.startswith("#") and address != "#" and address[1:] not in names:
                    found.append(f"nothing at {address}")
        found += ["picture without words" for a in self.all("img") if not a.get("alt")]
        found += ["drawing without words" for a in self.all("svg") if not a.get("aria-label")]
        found += ["heading without scope" for a in self.all("th") if "scope" not in a]
        for tag in ("h1", "title", "main"):
            if len(self.all(tag)) != 1:
                found.append(f"{len(self.all(tag))} of {tag}")
        regions = [a for a in self.all("div") if a.get("class") == "scroll"]
        found += [
            "box that no keyboard scrolls"
            for a in regions
            if a.get("tabindex") != "0" or not a.get("aria-label")
        ]
        labels = [a["aria-label"] for a in regions]
        found += [f"two boxes called {label}" for label in set(labels) if labels.count(label) > 1]
        return found
