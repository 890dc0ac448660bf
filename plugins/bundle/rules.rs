// The built-in rules: name, crate under plugins/, and what `export!` takes: the type, and `marks` for
// rules that judge skipped ranks and repeated options themselves. Included by the build script.
[
    ("approval", "approval", "Approval"),
    ("borda", "borda", "Borda"),
    ("bucklin", "bucklin", "Bucklin"),
    ("budgeting", "committee", "Budgeting"),
    ("committee", "committee", "Committee"),
    ("copeland", "pairwise", "Copeland"),
    ("cumulative", "cumulative", "Cumulative"),
    ("instant-runoff", "instant-runoff", "InstantRunoff, marks"),
    ("majority-judgment", "majority-judgment", "MajorityJudgment"),
    ("minimax", "pairwise", "Minimax"),
    ("party-list", "party-list", "PartyList"),
    ("plurality", "plurality", "Plurality"),
    ("quadratic", "cumulative", "Quadratic"),
    ("ranked-pairs", "pairwise", "RankedPairs"),
    ("referendum", "referendum", "Referendum"),
    ("schulze", "pairwise", "Schulze"),
    ("score", "scoring", "Score"),
    ("star", "scoring", "Star"),
    ("stv", "stv", "Stv, marks"),
]
