// The built-in rules: name, crate under plugins/, type. Included by the build script.
[
    ("approval", "approval", "Approval"),
    ("instant-runoff", "instant-runoff", "InstantRunoff"),
    ("plurality", "plurality", "Plurality"),
]
