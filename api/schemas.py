"""JSON Schemas of what travels over HTTP, by name; the tests hold every answer against them."""

from __future__ import annotations

from collections.abc import Mapping

Schema = Mapping[str, object]

TEXT: Mapping[str, object] = {"type": "string"}
COUNT: Mapping[str, object] = {"type": "integer", "minimum": 0}
MAYBE: Mapping[str, object] = {"type": ["string", "null"]}
ANYTHING: Mapping[str, object] = {}


def ref(name: str) -> Schema:
    """A reference to a schema of this module."""
    return {"$ref": f"#/components/schemas/{name}"}


def one_of(*words: str) -> Schema:
    """One of the given words."""
    return {"type": "string", "enum": list(words)}


def list_of(item: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": dict(item)}


def map_of(value: Schema) -> Schema:
    """An object whose every member has such a value."""
    return {"type": "object", "additionalProperties": dict(value)}


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these members; others may be there too."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties}


PRIORITY: Mapping[str, object] = {"type": "integer", "minimum": -1000, "maximum": 1000}
JOB_STATE = one_of("queued", "running", "done", "failed", "cancelled")
ERROR: Mapping[str, object] = {
    "type": ["object", "null"],
    "properties": {"code": TEXT, "message": TEXT, "node": {}, "port": {}},
}

COST: Mapping[str, Schema] = {"ms": {"type": "number"}, "bytes": COUNT, "beside_bytes": COUNT}
ESTIMATE = record(
    {"ms": {"type": "number"}, "left_ms": {"type": "number"}, "peak_bytes": COUNT, "unknown": COUNT}, {"t": COUNT}
)

SCHEMAS: Mapping[str, Schema] = {
    "Problem": record(
        {"type": TEXT, "title": TEXT, "status": COUNT, "code": TEXT, "detail": TEXT},
        {
            "hint": TEXT,
            "node": TEXT,
            "port": TEXT,
            "problems": list_of(ref("GraphProblem")),
            "current": MAYBE,
            "kept": TEXT,
        },
    ),
    "GraphProblem": record(
        {"code": TEXT, "message": TEXT}, {"node": {}, "port": {}, "expected": {}, "got": {}, "hint": {}}
    ),
    "Link": {**record({"node": TEXT, "output": TEXT}), "additionalProperties": False},
    "Workflow": record(
        {"version": COUNT, "nodes": map_of(record({"type": TEXT}, {"inputs": {"type": "object"}, "title": TEXT}))},
        {"view": ANYTHING},
    ),
    "Foreign": {"type": "object"},
    "Converted": record(
        {
            "workflow": ref("Workflow"),
            "notes": list_of(record({"code": TEXT, "node": MAYBE, "text": TEXT, "values": map_of(ANYTHING)})),
        }
    ),
    "JobRequest": {
        **record(
            {"workflow": ref("Workflow")},
            {"targets": list_of(TEXT), "parameters": map_of(ANYTHING), "priority": PRIORITY},
        ),
        "additionalProperties": False,
    },
    "JobChange": {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {"position": COUNT, "before": TEXT, "priority": PRIORITY},
        "additionalProperties": False,
    },
    "JobMoved": record({"id": TEXT, "priority": PRIORITY, "position": COUNT}),
    "JobsToCancel": {**record({"ids": list_of(TEXT)}), "additionalProperties": False},
    "JobsCancelled": record({"states": map_of(JOB_STATE)}),
    "Queue": record({"paused": {"type": "boolean"}, "running": list_of(TEXT), "queued": list_of(TEXT), "total": COUNT}),
    "Problems": record({"problems": list_of({"type": "object"})}),
    "JobAccepted": record({"id": TEXT}),
    "Nothing": {"type": "object", "maxProperties": 0},
    "JobCancelled": record({"id": TEXT, "state": JOB_STATE}),
    "Job": record(
        {
            "id": TEXT,
            "state": JOB_STATE,
            "client": TEXT,
            "priority": PRIORITY,
            "nodes": map_of(
                record(
                    {"state": one_of("queued", "running", "cached", "ran", "failed", "skipped"), "reason": TEXT},
                    {"ms": {"type": ["number", "null"]}},
                )
            ),
            "outputs": map_of(list_of(ref("Output"))),
            "error": ERROR,
        },
        {"estimate": ESTIMATE},
    ),
    "Output": record({"url": TEXT, "media_type": TEXT, "width": COUNT, "height": COUNT}),
    "JobList": record(
        {"jobs": list_of(record({"id": TEXT, "state": JOB_STATE})), "next": {"type": ["string", "null"]}}
    ),
    "Event": record({"type": TEXT}, {"n": COUNT, "job": TEXT, "t": COUNT}),
    "EventList": record({"events": list_of(ref("Event"))}),
    "Prompt": {**record({"text": TEXT}), "additionalProperties": False},
    "Tokens": record({"chunks": list_of(list_of(record({"text": TEXT, "weight": {"type": "number"}})))}),
    "ResultList": record(
        {
            "results": list_of(
                record(
                    {
                        "job": TEXT,
                        "finished": COUNT,
                        "prompts": list_of(TEXT),
                        "models": list_of(TEXT),
                        "seeds": list_of({"type": "integer"}),
                        "pictures": list_of(
                            record({"node": TEXT, "url": TEXT, "media_type": TEXT, "width": COUNT, "height": COUNT})
                        ),
                    }
                )
            ),
            "next": MAYBE,
        }
    ),
    "Explanation": record(
        {
            "nodes": map_of(
                record(
                    {"state": one_of("cached", "run"), "reason": TEXT},
                    {
                        **COST,
                        "grows": {"type": ["object", "null"], "additionalProperties": record({"type": TEXT}, COST)},
                    },
                )
            ),
            "ms": {"type": "number"},
            "peak_bytes": COUNT,
            "unknown": COUNT,
        },
        {"problems": list_of(ref("GraphProblem"))},
    ),
    "NodeSpec": record(
        {
            "id": TEXT,
            "title": TEXT,
            "category": TEXT,
            "version": TEXT,
            "sink": {"type": "boolean"},
            "inputs": list_of(record({"name": TEXT, "type": TEXT})),
            "outputs": list_of(record({"name": TEXT, "type": TEXT})),
        },
        {"doc": TEXT, "resource": TEXT, "source": TEXT},
    ),
    "Catalogue": record({"version": TEXT, "nodes": map_of(ref("NodeSpec"))}),
    "CacheReport": record(
        {
            "tiers": map_of(
                record({"budget": COUNT, "used": COUNT, "results": COUNT}, {"failures": COUNT, "damaged": COUNT})
            )
        }
    ),
    "WorkflowList": record(
        {
            "workflows": list_of(record({"name": TEXT, "revision": TEXT, "modified": COUNT})),
            "drafts": list_of(record({"name": TEXT, "base": MAYBE, "saved": COUNT})),
        }
    ),
    "WorkflowSaved": record({"name": TEXT, "revision": TEXT}),
    "WorkflowConflict": record({"current": MAYBE, "kept": MAYBE}),
    "WorkflowName": {**record({}, {"name": TEXT}), "additionalProperties": False},
    "WorkflowDeleted": record({"id": TEXT, "name": TEXT}),
    "DraftKept": record({"name": TEXT, "revision": TEXT, "base": MAYBE}),
    "RevisionList": record({"revisions": list_of(record({"revision": TEXT, "saved": COUNT, "label": MAYBE}))}),
    "RevisionLabel": record({"label": MAYBE}, {"revision": TEXT}),
    "Trash": record({"workflows": list_of(record({"id": TEXT, "name": TEXT, "deleted": COUNT}))}),
    "TemplateList": record(
        {"templates": list_of(record({"name": TEXT, "picture": {"type": "boolean"}, "needs": list_of(TEXT)}))}
    ),
    "PackList": record({"packs": list_of(TEXT)}),
    "ModelList": map_of(list_of(TEXT)),
    "ModelFile": record({"name": TEXT, "size": COUNT, "hash": TEXT}),
    "StoredFile": record(
        {"name": TEXT, "url": TEXT, "media_type": TEXT, "width": COUNT, "height": COUNT, "size": COUNT}
    ),
    "Health": record(
        {
            "status": one_of("ok"),
            "worker": one_of("starting", "ready"),
            "workers": list_of(
                record(
                    {
                        "number": COUNT,
                        "state": one_of("starting", "ready"),
                        "device": TEXT,
                        "device_bytes": COUNT,
                        "job": MAYBE,
                        "replaced": MAYBE,
                    }
                )
            ),
            "catalogue": TEXT,
            "version": TEXT,
        }
    ),
    "OpenAPI": record({"openapi": TEXT, "info": {"type": "object"}, "paths": {"type": "object"}}),
}
