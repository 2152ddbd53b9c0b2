"""Helm's own engine on standard input: one JSON line asks, one answers. PYTHONPATH has helm-python-sdk.

{"lint": chart, "values": {...}} or {"render": chart, "values": {...}}; the answer has "ok" and "text".
"""

import json
import sys

import helm_python as helm

KUBERNETES = "v1.31.0"


def lint(chart: str, values: dict) -> dict:
    report = helm.lint(chart, values, strict=True, kube_version=KUBERNETES)
    lines = [f"{m['path']}: {m['error']}" for m in report["messages"] if m["severity"] >= 2]
    return {"ok": not lines and not report["errors"], "text": "\n".join(lines + report["errors"])}


def render(path: str, values: dict) -> dict:
    with helm.Chart.load(path) as chart:
        chart.validate_schema(values)
        files = chart.render(values, name="r", namespace="shop", is_install=True)
    notes = [name for name in files if name.endswith("NOTES.txt")]
    text = "\n---\n".join(text for name, text in files.items() if name not in notes and not name.endswith(".tpl"))
    return {"ok": True, "text": text, "notes": "".join(files[name] for name in notes)}


for line in sys.stdin:
    asked = json.loads(line)
    try:
        act, path = (lint, asked["lint"]) if "lint" in asked else (render, asked["render"])
        answer = act(path, asked.get("values") or {})
    except helm.HelmError as error:
        answer = {"ok": False, "text": str(error)}
    print(json.dumps(answer), flush=True)
