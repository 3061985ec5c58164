"""Holds messages against doc/im.v1.schema.json. Knows what that schema uses, and refuses what it does not know."""

import json
import re

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
ANNOTATIONS = {"description", "$comment", "title", "$schema", "$defs"}


class Unfit(AssertionError):
    pass


def fail(path, text):
    raise Unfit(f"{path or 'message'}: {text}")


def is_a(value, name):
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


class Schema:
    def __init__(self, text):
        self.root = json.loads(text)
        self.definitions = self.root["$defs"]

    def names(self, kind):
        """Of all definitions of a kind: "request", "reply", "event"."""
        return [name[len(kind) + 1:] for name in self.definitions if name.startswith(kind + "-")]

    def check(self, message, name, strict=True):
        """strict: members that the schema does not know are not let pass, either."""
        self.fit(message, {"$ref": f"#/$defs/{name}"}, "", strict)

    def fit(self, value, schema, path, strict):
        for keyword, wanted in schema.items():
            if keyword not in ANNOTATIONS:
                getattr(self, "fit_" + keyword.lstrip("$"))(value, wanted, path, strict)
        if strict and "properties" in schema and isinstance(value, dict):
            unknown = set(value) - set(schema["properties"])
            if unknown:
                fail(path, f"has {', '.join(sorted(unknown))}, which the schema does not know")

    def fit_ref(self, value, wanted, path, strict):
        self.fit(value, self.definitions[wanted.removeprefix("#/$defs/")], path, strict)

    def fit_anyOf(self, value, wanted, path, strict):
        why = []
        for schema in wanted:
            try:
                return self.fit(value, schema, path, strict)
            except Unfit as unfit:
                why.append(str(unfit))
        return fail(path, "fits none: " + "; ".join(why))

    def fit_type(self, value, wanted, path, _):
        if not any(is_a(value, name) for name in (wanted if isinstance(wanted, list) else [wanted])):
            fail(path, f"{value!r} is no {wanted}")

    def fit_const(self, value, wanted, path, _):
        if type(value) is not type(wanted) or value != wanted:
            fail(path, f"{value!r} is not {wanted!r}")

    def fit_enum(self, value, wanted, path, _):
        if value not in wanted:
            fail(path, f"{value!r} is none of {wanted}")

    def fit_properties(self, value, wanted, path, strict):
        for name, schema in wanted.items():
            if isinstance(value, dict) and name in value:
                self.fit(value[name], schema, f"{path}.{name}", strict)

    def fit_required(self, value, wanted, path, _):
        missing = set(wanted) - set(value if isinstance(value, dict) else ())
        if missing:
            fail(path, f"has no {', '.join(sorted(missing))}")

    def fit_items(self, value, wanted, path, strict):
        for i, item in enumerate(value if isinstance(value, list) else ()):
            self.fit(item, wanted, f"{path}[{i}]", strict)

    def fit_maxItems(self, value, wanted, path, _):
        if isinstance(value, list) and len(value) > wanted:
            fail(path, f"has more than {wanted} items")

    def fit_minLength(self, value, wanted, path, _):
        if isinstance(value, str) and len(value) < wanted:
            fail(path, f"{value!r} is too short")

    def fit_maxLength(self, value, wanted, path, _):
        if isinstance(value, str) and len(value) > wanted:
            fail(path, f"{value!r} is too long")

    def fit_pattern(self, value, wanted, path, _):
        if isinstance(value, str) and not re.search(wanted, value):
            fail(path, f"{value!r} does not match {wanted}")

    def fit_minimum(self, value, wanted, path, _):
        if is_a(value, "integer") and value < wanted:
            fail(path, f"{value} is too small")

    def fit_maximum(self, value, wanted, path, _):
        if is_a(value, "integer") and value > wanted:
            fail(path, f"{value} is too big")
