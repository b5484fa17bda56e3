"""How verdicts look, on a panel as in the report."""

COLORS = {"accept": "#1a7f37", "review": "#9a6700", "reject": "#b3261e"}
